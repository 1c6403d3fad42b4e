"""Checks of the words of a command line, for errors that Hydra does not explain.

`check_overrides` runs before Hydra. `explain_failure` runs after Hydra has refused the words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast, get_args

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from stablenets.config.extras import install_extra
from stablenets.config.groups import CONFIGS, GROUPS, group_choices
from stablenets.config.options import Config, Net, Optim, Probe, Seeds, Wandb
from stablenets.config.plugins import REMEDY
from stablenets.errors import BadInput
from stablenets.schema import option_fields, suggest, type_hints

OPTIONAL_GROUPS = ("experiment", "debug")  # null chooses none
OF_PLUGINS = ("dataset", "net")  # plugins can add names to these groups
# The remedy for launchers and sweepers of other packages that are not installed.
OF_PACKAGES = {
    "hydra/launcher=submitit_slurm": f"write hydra/launcher=slurm, and {install_extra('slurm')}",
    "hydra/launcher=joblib": "install hydra-joblib-launcher, or write hydra/launcher=local",
    "hydra/sweeper=optuna": install_extra("search"),
}
MOST_LISTED = 10  # values of a range that a message lists
SET_BY_GROUP = {"dataset.name": "dataset", "net.family": "net"}
# What people type before they know the names of the options.
OTHER_NAMES = {
    "flow": "backward",
    "layers": "depth",
    "batch_size": "batch",
    "learning_rate": "optim.lr",
    "model": "net",
    "family": "net",
    "data": "dataset",
    "optimizer": "optim",
    "optimiser": "optim",
}
OF_REPRODUCE = ("profile", "jobs", "groups")
# The option that is meant by a value for a whole section.
OF_SECTION = {"wandb": "wandb.mode", "probe": "probe.every", "seeds": "seed"}
OFF = ("off", "false", "no", "none", "null", "0")


def check_overrides(words: Iterable[str], *, is_sweep: bool) -> None:
    """Raise `BadInput` for a word that is not KEY=VALUE, or a group set to an unknown name.

    Args:
        words: The words of the command line without flags, such as "net=resnet".
        is_sweep: Whether a key may have several values, such as seed=0,1.
    """
    words = list(words)
    lists: dict[str, str] = {}  # the words with several values, by their keys
    for index, word in enumerate(words):
        check_is_pair(word, words[index + 1 :])
        override = parse_override(word)
        key, value = override.key_or_group, override.value()
        if not key:
            raise BadInput(f"{word}: no key; write KEY={value}")
        if override.is_sweep_override() and not is_sweep:
            raise BadInput(
                f"{word}: several values; add -m for a sweep, or type a list as {key}=[1,2]"
            )
        if key in lists:
            raise BadInput(
                f"{key}: given twice, by {lists[key]} and {word}; write all its values in one word"
            )
        if override.is_sweep_override():
            lists[key] = word
        if not override.is_delete():
            check_key(word, key, value)
        if key in SET_BY_GROUP:
            refuse_name_key(word, SET_BY_GROUP[key], value)
        if key in GROUPS and not override.is_delete() and not isinstance(value, dict):
            check_option_choice(key, value)
    check_widths(words)


def check_is_pair(word: str, following: Sequence[str]) -> None:
    """Raise `BadInput` for the name of an option without =, and write it as KEY=VALUE."""
    if "=" not in word and (remedy := pair_remedy(word, value_after(following))):
        raise BadInput(f"{word}: cannot be read as key=value; {remedy}")


def value_after(following: Sequence[str]) -> str:
    """The value in the words behind a key, as in `depth 3` and `depth = 3`; VALUE if none is."""
    texts = [text for text in following[:2] if text != "="]
    text = texts[0].removeprefix("=") if texts else ""
    return text if text and "=" not in text and text[0] != "-" else "VALUE"


def pair_remedy(name: str, value: str) -> str:
    """The remedy for an option that is not written as KEY=VALUE; '' if `name` is no option."""
    key = name.replace("-", "_")
    if keys := [key] if is_known(key) else meant_options(key):
        return f"type {' or '.join(f'{key}={value}' for key in keys)}"
    return ""


def is_known(key: str) -> bool:
    """Whether a key is a group, an option of a run or a key in a section of options."""
    section = key.partition(".")[0]
    return section in option_fields(Config) or section in GROUPS


def meant_options(name: str) -> list[str]:
    """The keys of the options that `name` may mean: by another name, or without their section."""
    return [OTHER_NAMES[name]] if name in OTHER_NAMES else options_in_sections(name)


def check_widths(words: Iterable[str]) -> None:
    """Raise `BadInput` if words give both width and net.widths, of which one would be ignored."""
    typed = {word.partition("=")[0].lstrip("+"): word for word in words}
    both = [typed[key] for key in ("width", "net.widths") if key in typed]
    if len(both) == 2 and not any(word.endswith("=null") for word in both):
        raise BadInput(f"{' '.join(both)}: both set the width; leave one of them out")


def check_key(word: str, key: str, value: Any) -> None:
    """Raise `BadInput` if another word is meant, and name that word."""
    typed = word.partition("=")[2]
    if key in OF_SECTION and not isinstance(value, dict):
        meant = "disabled" if key == "wandb" and typed.lower() in OFF else typed
        raise BadInput(f"{word}: {key} is a section of options; write {OF_SECTION[key]}={meant}")
    if key in OF_REPRODUCE:
        raise BadInput(
            f"{key}: unknown key; it is an option of another command: stablenets reproduce PAPER"
            f" --{key} {typed}"
        )
    check_range(word, key, typed)
    check_section(key, typed)
    if key in option_fields(Config) or key in GROUPS or not key.isidentifier():
        return
    if names := meant_options(key):
        raise BadInput(f"{key}: unknown key; write {' or '.join(names)}={typed}")


def check_range(word: str, key: str, typed: str) -> None:
    """Raise `BadInput` for a range of whole numbers such as seed=0-2, and show how to list them."""
    match = re.fullmatch(r"(\d+)-(\d+)", typed)
    hint = type_hints(Config).get(key)
    if match is None or int not in (hint, *get_args(hint)):
        return
    low, high = sorted(map(int, match.groups()))
    values = range(low, high + 1)
    listed = ",".join(map(str, values)) if len(values) <= MOST_LISTED else ""
    meant = f"{key}={listed}" if listed else f"'{key}=range({values.start},{values.stop})'"
    raise BadInput(f"{word}: no range of values; write -m {meant}")


def check_section(key: str, typed: str) -> None:
    """Raise `BadInput` for an option of a run that is given in a section, such as net.depth=5."""
    section, _, name = key.rpartition(".")
    if section not in GROUPS or name not in option_fields(Config):
        return
    if key not in options_in_sections(name):
        raise BadInput(f"{key}: unknown key; write {name}={typed}")


def options_in_sections(name: str) -> list[str]:
    """The keys of the options that are called `name` inside of a section, such as "optim.lr"."""
    from stablenets.data import DATASETS, CommonDataOptions
    from stablenets.nets import FAMILIES

    sections: dict[str, list[type]] = {
        "optim": [Optim],
        "net": [Net, *FAMILIES.values()],
        "dataset": [CommonDataOptions, *DATASETS.values()],
        "probe": [Probe],
        "wandb": [Wandb],
        "seeds": [Seeds],
    }
    return [
        f"{section}.{name}"
        for section, classes in sections.items()
        if any(name in option_fields(cls) for cls in classes)
    ]


def refuse_name_key(word: str, group: str, name: Any) -> None:
    """Raise `BadInput` for net.family=NAME, which leaves the options of another family in place."""
    known = group_choices(group)
    if name in known:
        raise BadInput(f"{word}: choose it by {group}={name}, which also sets its options")
    raise BadInput(f"{word}: choose by {group}=NAME; {suggest(str(name), known, 'one of')}")


def parse_override(word: str) -> Override:
    """One word as Hydra reads it."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise BadInput(
            f"{word}: cannot be read as key=value; lists are key=[1,2], and a value with special"
            " characters is quoted: \"key='a b'\""
        ) from None


def check_option_choice(group: str, value: Any) -> None:
    """Raise `BadInput` if a group is set to a name that it does not have."""
    names = value.list if isinstance(value, ChoiceSweep) else [value]
    for name in names:
        name = getattr(name, "text", name)  # a quoted string
        known = group_choices(group)
        if name not in known and not (name is None and group in OPTIONAL_GROUPS):
            shown = "null" if name is None else name
            hint = f"; {REMEDY}" if group in OF_PLUGINS else ""
            raise BadInput(f"{group}={shown}: {suggest(str(shown), known, 'one of')}{hint}")


def explain_failure(words: Sequence[str], error: Exception) -> str:
    """Return one line that says what is wrong with words that Hydra could not compose.

    Composes the words again with unknown keys allowed, and resolves the result: `resolve` names an
    unknown key and its remedy. Any other failure keeps Hydra's message.
    """
    from stablenets.config.resolving import resolve

    try:
        for combination in expand_sweeps(words):
            options, _ = compose_words([allow_unknown_key(word) for word in combination])
            resolve(options)
    except BadInput as explanation:
        return str(explanation)
    except (HydraException, OmegaConfBaseException):
        pass
    for word in words:
        if word[0] == "+" and f"already at '{word.strip('+').partition('=')[0]}'" in str(error):
            return f"{word}: the option exists already; write {word.strip('+')}"
    return describe_error(error)


def describe_error(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.options:  # as of hydra/launcher
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        remedy = OF_PACKAGES.get(f"{group}={name}")
        known = suggest(name, error.options, "one of")
        return f"{group}={name}: {known}" + (f"; {remedy}" if remedy else "")
    cause = error.__cause__
    section = getattr(cause, "parent_node", None)  # of a key of Hydra's own
    if isinstance(cause, OmegaConfBaseException) and isinstance(section, DictConfig):
        known = suggest(str(cause.key), map(str, section), "known here")
        return f"{cause.full_key}: unknown key; {known}"
    if key := getattr(error, "full_key", None):  # a value such as ${other.key}
        return (
            f"{key}: {text.partition(' full_key: ')[0]}; give a plain value, or ${{KEY}} of another"
            " key of the configuration"
        )
    return text


def expand_sweeps(words: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """The words of each job of a sweep; a key that is not a group takes its first value only."""
    choices = []
    for word in words:
        override = parse_override(word)
        if not override.is_sweep_override():
            choices.append([word])
            continue
        values = list(override.sweep_string_iterator())
        jobs = [f"{override.get_key_element()}={value}" for value in values]
        choices.append(jobs if override.key_or_group in GROUPS else jobs[:1])
    return itertools.product(*choices)


def allow_unknown_key(word: str) -> str:
    """The word, such that Hydra adds its key if it does not exist."""
    is_group = parse_override(word).key_or_group.partition("@")[0] in GROUPS or "/" in word
    return word if is_group or word[0] in "+~" else f"++{word}"


def compose_words(words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The plain options that Hydra composes of configs/ and the words, and the chosen groups."""
    from stablenets.config.composition import register_nodes

    register_nodes()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        config = compose("config", overrides=list(words), return_hydra_config=True)
    choices = dict(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return plain_options(config), choices


def plain_options(config: DictConfig) -> dict[str, Any]:
    """The options that Hydra composed as nested plain values, with all references resolved."""
    # to_container returns a list or a string only for other classes of OmegaConf
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
