"""The text of `stablenets --help`, made from the options and the groups of the command line.

Only `--help net=NAME` and `--help dataset=NAME` import torch, for the options of that entry.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from stablenets.config.groups import CONFIGS, GROUPS, group_choices, preset_names, registered_names
from stablenets.config.options import Config
from stablenets.errors import BadInput
from stablenets.schema import (
    OptionHelp,
    describe_options,
    format_value,
    option_fields,
    suggest,
)

WIDTH = 100
COLUMN = 30  # where the meaning of an option begins
USAGE = """\
stablenets trains one network, and measures how its signals and gradients change over depth.

Usage:
  stablenets [KEY=VALUE ...]               train one network, or resume an interrupted run
  stablenets -m KEY=VALUE,VALUE ...        a sweep: one run for each combination of values
  stablenets --help GROUP=NAME             the options of one family, preset, data set or optimiser
  stablenets --cfg job [KEY=VALUE ...]     show all options of a run, without training
  stablenets --plugins MODULE ...          also use families, data sets or papers of your module
  stablenets --version

Examples:
  stablenets dataset=digits net=antisymmetric depth=64
  stablenets experiment=haber2017/swiss_roll_antisymmetric depth=64
  stablenets -m net=plain,resnet,antisymmetric depth=16,64 seed=0,1,2
  stablenets -m hydra.launcher.jobs=2 depth=16,64 seed=0,1
  stablenets --help net=roarnn

Lists are typed in quotes: 'net.widths=[16,32]'. Flags of Hydra: stablenets --hydra-help."""


def help_text(words: Iterable[str], subcommands: Mapping[str, str]) -> str:
    """Return the help for the whole command, or for each GROUP=NAME among the words.

    Args:
        words: The topics.
        subcommands: What each subcommand does.

    Raises:
        BadInput: If a word is not GROUP=NAME with a known group and name.
    """
    topics = [topic_help(word) for word in words]
    return "\n\n".join(topics) if topics else command_help(subcommands)


def command_help(subcommands: Mapping[str, str]) -> str:
    """Usage, examples, the subcommands, the groups with their names, and all options of a run."""
    parts = [USAGE, "\nOther commands, each with a --help of its own:"]
    parts += [two_columns(f"stablenets {name}", does) for name, does in subcommands.items()]
    parts += ["\nGroups of options, set by GROUP=NAME:"]
    for group, meaning in GROUPS.items():
        parts.append(two_columns(group, f"{meaning}:"))
        names = registered_names(group), preset_names(group)
        parts += [two_columns("", ", ".join(kind)) for kind in names if kind]
    parts.append("\nOptions of a run, with their defaults:")
    options = [option for option in describe_options(Config) if option.key not in GROUPS]
    parts += format_options(sorted(options, key=lambda option: "." in option.key))
    parts.append(
        "\nEach family and each data set has further options, which these commands list:\n"
        "  stablenets --help net=NAME\n"
        "  stablenets --help dataset=NAME"
    )
    return "\n".join(parts)


def topic_help(word: str) -> str:
    """The options of one family, data set or optimiser, or the file of one experiment."""
    group, _, name = word.partition("=")
    if group not in GROUPS:
        remedy = suggest(group, GROUPS, "groups")
        raise BadInput(f"--help {word}: not GROUP=NAME; {remedy}; all options: stablenets --help")
    if name not in group_choices(group):
        raise BadInput(f"--help {word}: {suggest(name, group_choices(group), 'one of')}")
    if group in ("experiment", "debug"):
        return f"{word} sets:\n" + (CONFIGS / group / f"{name}.yaml").read_text().rstrip()
    title, options = group_options(group, name)
    return "\n".join([title, *format_options(options)])


def group_options(group: str, name: str) -> tuple[str, list[OptionHelp]]:
    """A title and the options of one entry of a group, its own options first."""
    from stablenets.config import composition, defaults
    from stablenets.config.options import Net, Optim
    from stablenets.data import DATASETS, CommonDataOptions
    from stablenets.nets import FAMILIES

    title = f"Options of {group}={name}, with their defaults:"
    hidden = {"family", "name"}  # the group chooses these
    parts: tuple[type, ...]
    if group == "optim":
        parts, values = (Optim,), defaults.optim_options(name)
    elif group == "dataset":
        parts, values = (DATASETS[name], CommonDataOptions), defaults.dataset_options(name)
    else:
        is_family = name in FAMILIES
        values = defaults.net_options(name) if is_family else composition.net_preset(name)
        family = FAMILIES[values["family"]]
        parts = family, Net
        own = {key: values[key] for key in option_fields(family)}
        hidden |= family(**own).unused_options.keys()
    if group != "optim":
        summary = f"{values.get('family', name)}: {first_paragraph(parts[0])}"
        title = textwrap.fill(summary, WIDTH) + f"\n\n{title}"
    options = []
    for option in (option for part in parts for option in describe_options(part)):
        if option.key not in hidden:
            default = str(format_value(values[option.key]))
            options.append(option._replace(key=f"{group}.{option.key}", default=default))
    return title, options


def first_paragraph(cls: type) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def format_options(options: Iterable[OptionHelp]) -> list[str]:
    """One entry for each option: KEY=DEFAULT, its meaning, its type and limits."""
    lines = []
    for option in options:
        is_choice = option.limits.startswith("one of")
        kind = option.limits if is_choice else ", ".join(filter(None, (option.type, option.limits)))
        default = option.default.replace(", ", ",")  # as a list is typed
        lines.append(two_columns(f"{option.key}={default}", f"{option.doc} ({kind})"))
    return lines


def two_columns(left: str, right: str) -> str:
    """`left` in a first column and `right` wrapped in a second one."""
    lead, margin = f"  {left} ".ljust(COLUMN), " " * COLUMN
    wrapped = textwrap.fill(right, WIDTH, initial_indent=margin, subsequent_indent=margin)
    return f"{lead.rstrip()}\n{wrapped}" if len(lead) > COLUMN else lead + wrapped[COLUMN:]
