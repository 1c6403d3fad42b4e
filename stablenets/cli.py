"""The command line: the only module that knows Hydra.

    stablenets dataset=digits net=antisymmetric depth=64 stablenets -m
    net=plain,resnet,antisymmetric depth=16,64 seed=0,1,2 hydra/launcher=joblib
    hydra.launcher.n_jobs=2

Hydra composes configs/ and the overrides to a plain mapping; from there on `config.resolve` and
`train.train` are ordinary functions. Whatever is wrong with the input is one line on stderr and
exit code 2.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stablenets.config.composition import CONFIGS, group_choices, register_nodes
from stablenets.errors import EXIT_BAD_INPUT
from stablenets.execution import sweep
from stablenets.schema import suggest


def main() -> None:
    os.environ.setdefault(
        "HYDRA_FULL_ERROR", "1"
    )  # errors come to us, not to Hydra's own multi-line report
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # a run that trains has its own way, which saves
    register_nodes()
    os.environ[sweep.OWNER] = f"{socket.gethostname()} {os.getpid()}"
    try:
        composed()
    except BrokenPipeError:
        sys.exit(0)  # the reader of a pipe has seen enough
    except (HydraException, OmegaConfBaseException) as error:
        refuse(one_line(error))
    except OSError as error:  # of the sweep's own folder; a run tells of its own
        refuse(
            f"{error.filename or 'a file'}: {error.strerror or error}; mend that or choose another"
            " place with runs=DIR"
        )
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        refuse(no_choice(sys.argv[1:]))
    except KeyboardInterrupt:
        print("stablenets: interrupted; the same command goes on", file=sys.stderr)
        sys.exit(130)


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def composed(config: DictConfig) -> None:
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        refuse(one_line(error))
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        sweep.job(
            values,
            Path(HydraConfig.get().runtime.output_dir),
            list(HydraConfig.get().overrides.task),
        )
    else:
        sys.exit(sweep.once(values))


def refuse(line: str) -> NoReturn:
    print(f"stablenets: {line}", file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)


def one_line(error: Exception) -> str:
    """Hydra's and OmegaConf's messages in our form: the key, the value, what would be right."""
    text = " ".join(str(error).split())
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: cannot be read as key=value; lists are key=[1,2], and a value with"
            " special signs stands in quotes"
        )
    if unknown := re.search(r"Could not override '([^']+)'", text):
        key = (
            getattr(error.__cause__, "full_key", None) or unknown[1]
        )  # the cause knows which of key={a: 1, b: 2}
        return f"{key}: unknown key; {suggest(key, known_keys(key))}"
    if group := re.search(r"Could not find '([^']+)/([^'/]*)'", text):
        return not_one_of(group[1], group[2], getattr(error, "options", None))
    if key := getattr(error, "full_key", None):  # OmegaConf's, of a value such as ${other.key}
        return (
            f"{key}: {text.partition(' full_key: ')[0]}; give a plain value, or ${{KEY}} of another"
            " key of the configuration"
        )
    return text


def not_one_of(group: str, name: str, known: Iterable[str] | None = None) -> str:
    return f"{group}={name}: {suggest(name, known or group_choices(group), 'one of')}"


def no_choice(words: list[str]) -> str:
    """What Hydra means by 'Config group override must be a string': net=3, net=null, =3; it does
    not say which.
    """
    pairs = [word.lstrip("+~").partition("=") for word in words]
    for group, sign, name in pairs:
        if sign and not group:
            return f"={name}: no key; write KEY={name}"
        if sign and (choices := group_choices(group)) and name not in choices:
            return not_one_of(group, name)
    return "a group of the configuration is not chosen by a name"


def known_keys(key: str) -> list[str]:
    """Full keys of the level at which an unknown one stands."""
    from stablenets.config import options
    from stablenets.data import DATASETS, CommonDataOptions
    from stablenets.nets import FAMILIES, RECURRENT

    group = key.partition(".")[0] if "." in key else ""
    parts = {
        "": (options.Config,),
        "net": (options.Net, *FAMILIES.values(), *RECURRENT.values()),
        "dataset": (CommonDataOptions, *DATASETS.values()),
    }
    fields = {field.name: field.type for field in dataclasses.fields(options.Config)}
    if group in parts:
        classes = parts[group]
    elif group in fields:
        classes = (getattr(options, str(fields[group]), None),)
    else:
        group, classes = "", (options.Config,)
    names = {
        field.name
        for cls in classes
        if dataclasses.is_dataclass(cls)
        for field in dataclasses.fields(cls)
    }
    return [f"{group}.{name}" if group else name for name in names]


if __name__ == "__main__":
    main()
