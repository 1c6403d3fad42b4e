"""The command line, which composes the options of a run by Hydra and starts the run or the sweep.

    stablenets dataset=digits net=antisymmetric depth=64
    stablenets -m net=plain,resnet depth=16,64 hydra.launcher.jobs=2

Hydra composes configs/ and the words of the command line into a plain mapping. `config.resolve`
turns it into a run, and `training.run.train` trains it. Wrong input ends with one line on stderr
and exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml

import stablenets
from stablenets.commands import COMMANDS, run_subcommand
from stablenets.config.groups import CONFIGS, preset_names
from stablenets.config.help_text import help_text
from stablenets.config.plugins import VARIABLE
from stablenets.errors import EXIT_BAD_INPUT, BadInput
from stablenets.schema import suggest
from stablenets.training.signals import end_on_signal

HELP = ("--help", "-h")
FLAGS_WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--experimental-rerun", "--info", "-i"),
)
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
FLAG_VALUES = {
    **dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")),
    **dict.fromkeys(("--info", "-i"), INFO),
}
VALUE_OPTIONAL = ("--info", "-i")
FLAGS = (
    "--hydra-help",
    "--resolve",
    "--run",
    "-r",
    "--multirun",
    "-m",
    "--shell-completion",
    "-sc",
)
PAIR = ("dataset", "net")  # the groups for which an experiment may have tuned options
RUN_FLAGS = {"--run", "-r"}  # one run, which is composed without hydra.main, in half the time


def main() -> None:
    """Run the command `stablenets` with the words of sys.argv."""
    try:
        sys.argv[1:] = set_plugins(sys.argv[1:])
        sys.exit(answer(sys.argv[1:]))
    except BadInput as error:
        refuse(str(error), error.exit_code)
    except BrokenPipeError:
        sys.exit(0)  # the reader of a pipe has closed it
    except OSError as error:  # outside of a run folder, such as the folder of a sweep
        option = "" if {*sys.argv[1:2]} & {*COMMANDS} else " with runs=DIR"
        problem = error.strerror or str(error).rstrip(".")
        place = error.filename or "a file"
        refuse(f"{place}: {problem}; correct that or choose another folder{option}")
    except KeyboardInterrupt:
        print("stablenets: interrupted; the same command resumes", file=sys.stderr)
        sys.exit(130)


def set_plugins(words: list[str]) -> list[str]:
    """The words without --plugins MODULE,..., which sets the environment variable instead."""
    rest, waiting = [], iter(words)
    for word in waiting:
        flag, sign, value = word.partition("=")
        if flag != "--plugins":
            rest.append(word)
            continue
        value = value if sign else next(waiting, "")
        if not value or value.startswith("-"):
            raise BadInput("--plugins: no module; write --plugins MODULE or MODULE,MODULE")
        os.environ[VARIABLE] = value
    return rest


def answer(words: list[str]) -> int:
    """Run a subcommand, print help or the version, or train; return the exit code."""
    first = words[0] if words else ""
    is_help = first == "help" or any(word in HELP for word in words)
    if first in COMMANDS:
        return run_subcommand(first, words[1:])
    if "--version" in words:
        print(f"stablenets {stablenets.__version__}")
    elif is_help:
        topics = [word for word in words if not word.startswith("-") and word != "help"]
        if topics and topics[0] in COMMANDS:
            return run_subcommand(topics[0], ["--help"])
        # the words of a sweep are no topics
        print(help_text([] if {"-m", "--multirun"} & {*words} else topics, COMMANDS))
    elif first and first[0] not in "-+~" and "=" not in first:
        raise BadInput(explain_first_word(first, words[1:]))
    else:
        run_command(words)
    return 0


def explain_first_word(word: str, following: list[str]) -> str:
    """What is wrong with a first word that is neither a subcommand nor KEY=VALUE."""
    from stablenets.config.overrides import pair_remedy, value_after

    remedy = pair_remedy(word, value_after(following)) or (
        f"{suggest(word, COMMANDS, 'one of')}; a run is trained by KEY=VALUE words alone"
    )
    return f"{word}: no subcommand; {remedy}"


def run_command(words: list[str]) -> NoReturn:
    """Compose the options, then train one network; or let Hydra run a sweep or show something.

    A signal ends the process at once, except in a training, which saves first. In a sweep SIGTERM
    is an exception, at which launchers end their workers.
    """
    flags, overrides = split_flags(words)
    if is_sweep(flags, overrides):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        compose_and_run(flags, overrides)
    message = b"stablenets: interrupted; the same command resumes\n"
    with end_on_signal(lambda: os.write(2, message)):
        compose_and_run(flags, overrides)


def is_sweep(flags: list[str], overrides: list[str]) -> bool:
    """Whether Hydra runs several jobs."""
    has_sweep_mode = any(word.startswith("hydra.mode=") for word in overrides)
    return has_sweep_mode or bool({"-m", "--multirun"} & {*flags})


def compose_and_run(flags: list[str], overrides: list[str]) -> NoReturn:
    """Compose the options of one run and train; or let Hydra do what the flags say."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from stablenets.config.overrides import check_overrides, compose_words, explain_failure
    from stablenets.execution import sweep

    # errors reach this function, not Hydra's own report of several lines
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    sys.argv[1:] = [*flags, *overrides]  # Hydra reads flags only before all other words
    needs_hydra = bool({*flags} - RUN_FLAGS) or any("hydra" in word for word in overrides)
    if not {"--shell-completion", "-sc"} & {*flags}:
        check_overrides(overrides, is_sweep=is_sweep(flags, overrides))
    try:
        composed = compose_by_hydra() if needs_hydra else compose_words(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        refuse(explain_failure(overrides, error))
    except ValueError as error:  # of Hydra's flags or of a launcher
        refuse(" ".join(str(error).split()))
    if composed is None:
        sys.exit(0)
    options, choices = composed
    is_tuned = any(word.startswith("optim.") for word in overrides)
    if not is_tuned and (advice := advise_experiment(choices)):
        print(advice)
    sys.exit(sweep.run_once(options))


def compose_by_hydra() -> tuple[dict[str, Any], dict[str, str]] | None:
    """The options and the chosen groups of one run; None if Hydra did all there was to do."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from stablenets.config.composition import register_nodes
    from stablenets.config.overrides import describe_error, plain_options
    from stablenets.execution import sweep
    from stablenets.execution.launcher import register_launchers
    from stablenets.execution.sweep_report import sweep_report

    composed: list[tuple[dict[str, Any], dict[str, str]]] = []

    def keep_or_sweep(config: DictConfig) -> float | None:
        try:
            options = plain_options(config)
        except OmegaConfBaseException as error:
            refuse(describe_error(error))
        settings = HydraConfig.get()
        if settings.mode == RunMode.MULTIRUN:  # only with the launcher of another package
            cwd = Path(settings.runtime.cwd)
            folder = cwd / settings.sweep.dir / settings.sweep.subdir
            return sweep.make_sweep_run(options, list(settings.overrides.task), folder, cwd)
        composed.append((options, dict(settings.runtime.choices)))
        return None

    register_nodes()
    register_launchers()
    compose = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
    with sweep_report():
        compose(keep_or_sweep)()
    return composed[0] if composed else None


def split_flags(words: list[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags with their values, and the other words; an unknown flag is `BadInput`."""
    flags: list[str] = []
    overrides: list[str] = []
    flag = ""  # the one whose value comes next
    for index, word in enumerate(words):
        name, sign, value = word.partition("=")
        if word.startswith("-"):
            if name not in FLAGS + FLAGS_WITH_VALUE:
                raise BadInput(explain_flag(word, words[index + 1 :]))
            flags.append(word)
            flag = name if name in FLAGS_WITH_VALUE and not sign else ""
            if sign:
                check_flag_value(name, value)
            continue
        if flag:
            check_flag_value(flag, word)
        (flags if flag else overrides).append(word)
        flag = ""
    if flag in FLAG_VALUES and flag not in VALUE_OPTIONAL:
        check_flag_value(flag, "")
    return flags, overrides


def explain_flag(word: str, following: list[str]) -> str:
    """What is wrong with an unknown flag; it may be an option, written as in other programs."""
    from stablenets.config.overrides import pair_remedy, value_after

    name, sign, value = word.partition("=")
    if remedy := pair_remedy(name.lstrip("-"), value if sign else value_after(following)):
        return f"{word}: unknown flag; {remedy}"
    known = (*FLAGS, *FLAGS_WITH_VALUE, *HELP, "--version", "--plugins")
    return f"{word}: unknown flag; {suggest(name, known)}"


def check_flag_value(flag: str, value: str) -> None:
    """Raise `BadInput` if a flag of Hydra does not know this value."""
    known = FLAG_VALUES.get(flag, (value,))
    if value not in known:
        raise BadInput(
            f"{flag} {value}: {suggest(value, known, 'one of')}; write {flag} {known[0]}"
        )


def advise_experiment(choices: dict[str, str]) -> str:
    """A line that names an experiment with tested options for the chosen data set and net."""
    if choices.get("experiment"):
        return ""
    for name in preset_names("experiment"):
        entries = yaml.safe_load((CONFIGS / "experiment" / f"{name}.yaml").read_text())["defaults"]
        sets = {key: value for entry in entries for key, value in entry.items()}
        if all(choices.get(group) == sets.get(f"override /{group}", "") for group in PAIR):
            return (
                f"dataset={choices['dataset']} net={choices['net']}: experiment={name} has options"
                " that were tuned for this pair; this run does not use them"
            )
    return ""


def refuse(line: str, exit_code: int = EXIT_BAD_INPUT) -> NoReturn:
    """End the process with one line on stderr."""
    print(f"stablenets: {line}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
