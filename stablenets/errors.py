"""What can go wrong by somebody's hand, and how the process says so.

A `BadInput` is one line that names the key, the value and what would be right. It is raised before
any work is done, printed without a traceback, and ends the process with its own exit code.
"""

EXIT_FAILED = 1  # the run broke: its log holds the traceback
EXIT_BAD_INPUT = 2
EXIT_BUSY = 3  # another process is at this run
EXIT_TIME = 124  # the time given for it was over first, as timeout(1) has it


class BadInput(ValueError):
    """A config value, data file or run folder that cannot be used; the message is one line."""

    exit_code = EXIT_BAD_INPUT


class Busy(BadInput):
    """The run folder is held by a living process."""

    exit_code = EXIT_BUSY


class Irreversible(Exception):
    """Rounding has spoilt the states that a reversed flow computes again: the run has failed; the
    message is one line.
    """
