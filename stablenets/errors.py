"""Errors that are reported in one line, and the exit codes of the process.

A `BadInput` names the key, the value and what would be right. It is raised before any work is done
and printed without a traceback.
"""

EXIT_FAILED = 1  # the run failed: its log holds the traceback
EXIT_BAD_INPUT = 2
EXIT_BUSY = 3  # another process works on this run
EXIT_TIME = 124  # the time limit was reached, the same code as that of timeout(1)

# what every command offers for a run folder that cannot be used; `reproduce` has no force=true
START_AGAIN = (
    "move the folder away to start the run again; where it is an option, force=true does so and"
    " keeps the folder under another name"
)


class BadInput(ValueError):
    """A config value, data file or run folder that cannot be used; the message is one line."""

    exit_code = EXIT_BAD_INPUT


class Busy(BadInput):
    """Another running process holds the lock of the run folder."""

    exit_code = EXIT_BUSY


class Irreversible(Exception):
    """States recomputed by the inverse differ too much from the original ones, by rounding.

    The run has failed; the message is one line.
    """
