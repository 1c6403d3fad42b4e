"""Typed options: a frozen dataclass declares them, `build` checks a plain mapping against it.

Every part that can be configured (a run, a data set, a family of networks, an optimiser, a study)
is a frozen dataclass whose fields are made with `option`. A wrong key, type or range raises
`BadInput` with one line: the full key, the value, what would be right.
"""

import dataclasses
import difflib
import functools
import json
import math
import numbers
import operator
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeGuard, TypeVar

from stablenets.errors import BadInput

TYPE_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a name",
    dict: "a group of keys",
    type(None): "null",
}
# The sign of each bound, and whether a value satisfies it.
BOUNDS = {
    "low": (">=", operator.ge),
    "above": (">", operator.gt),
    "high": ("<=", operator.le),
    "below": ("<", operator.lt),
}
LARGEST_INT = 2**63 - 1  # what torch and numpy can hold
LARGEST_FLOAT = 1e30  # float32 holds it, and its product with the depth of a net
Options = TypeVar("Options")  # a dataclass whose fields are made with `option`


class OptionHelp(NamedTuple):
    """What `--help` shows of one option, as text."""

    key: str  # the full key: "optim.lr"
    type: str  # "a whole number or null"
    default: str  # as it is typed on the command line; "required" where there is none
    limits: str  # ">= 1 and <= 9", "one of: relu, tanh", or ""
    doc: str  # the meaning, with its unit and what null means


def option(
    default: Any = dataclasses.MISSING,
    doc: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[Any] | None = None,
    min_items: int | None = None,
) -> Any:
    """Return a dataclass field with its meaning and its limits, which `build` checks.

    Args:
        default: The value where none is given; left out, the option is required. A list is copied
            for every instance.
        doc: What the option means, with its unit, and what null means. Shown by `--help`.
        low: Smallest value. The limits of a list hold for each of its items.
        high: Largest value.
        above: The value must be larger than this.
        below: The value must be smaller than this.
        choices: All values that are accepted.
        min_items: Smallest length of a list.

    Examples:
        >>> @dataclass(frozen=True)
        ... class Blobs:
        ...     points: int = option(100, "points of each class", low=2)
    """
    limits: dict[str, Any] = {"low": low, "high": high, "above": above, "below": below}
    limits |= {"choices": choices, "min_items": min_items}
    metadata = {"doc": doc, **{name: limit for name, limit in limits.items() if limit is not None}}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def type_hints(cls: type) -> dict[str, Any]:
    """The types of the fields of a class; plans of thousands of runs ask for the same ones."""
    return typing.get_type_hints(cls)


def build(cls: type[Options], values: Mapping[str, Any], at: str = "") -> Options:
    """Return an instance of the dataclass `cls`, made from a mapping whose every value is checked.

    Args:
        cls: A dataclass whose fields are made with `option`.
        values: The options by name; those left out take their defaults.
        at: The key of the group that holds `values`, for messages: "net", or "" at the top.

    Raises:
        BadInput: If a key is unknown or missing, or a value has the wrong type or breaks a limit.

    Examples:
        >>> build(Blobs, {"points": 1}, "dataset")
        BadInput: dataset.points=1: must be >= 2
    """
    known = option_fields(cls)
    hints = type_hints(typing.cast(type, cls))
    for key in values:
        if key not in known:
            remedy = suggest(str(key), known, "known here")
            raise BadInput(f"{join_key(at, key)}: unknown key; {remedy}")
    checked = {}
    for name, field in known.items():
        key = join_key(at, name)
        if name in values:
            checked[name] = check_value(key, values[name], hints[name], field.metadata)
        elif default_of(field) is dataclasses.MISSING:
            raise BadInput(f"{key}: missing; {field.metadata.get('doc') or 'it has no default'}")
    return cls(**checked)


def describe_options(cls: type, at: str = "") -> list[OptionHelp]:
    """Return what `--help` shows of each option of a dataclass, groups of options key by key.

    Args:
        cls: A dataclass whose fields are made with `option`.
        at: The key of the group that holds the options: "net", or "" at the top.

    Examples:
        >>> describe_options(Blobs, "dataset")
        [OptionHelp(key='dataset.points', type='a whole number', default='100', limits='>= 2',
         doc='points of each class')]
    """
    hints, described = type_hints(cls), []
    for field in dataclasses.fields(cls):
        key, hint, default = join_key(at, field.name), hints[field.name], default_of(field)
        if is_option_group(hint):
            described += describe_options(hint, key)
            continue
        shown = "required" if default is dataclasses.MISSING else str(format_value(default))
        limits, doc = describe_limits(field.metadata), field.metadata.get("doc", "")
        described.append(OptionHelp(key, describe_type(hint), shown, limits, doc))
    return described


def option_fields(cls: type) -> dict[str, dataclasses.Field]:
    """Return the options of a dataclass by their names."""
    return {field.name: field for field in dataclasses.fields(cls) if field.init}


def is_option_group(hint: Any) -> TypeGuard[type]:
    """Whether the type of an option is a dataclass, which groups further options."""
    return dataclasses.is_dataclass(hint)


def default_of(field: dataclasses.Field) -> Any:
    """The default of a field, or MISSING."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def describe_type(hint: Any) -> str:
    """A type in words: "a whole number or null", "a list of whole numbers"."""
    if isinstance(hint, types.UnionType):
        return " or ".join(describe_type(kind) for kind in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        return f"a list of {TYPE_NAMES[item].removeprefix('a ')}s"
    return TYPE_NAMES[typing.get_origin(hint) or hint]


def describe_limits(limits: Mapping) -> str:
    """The limits of an option in words: ">= 1 and <= 9", "one of: relu, tanh", or ""."""
    if "choices" in limits:
        return f"one of: {', '.join(sorted(map(str, limits['choices'])))}"
    bounds = [f"{sign} {limits[name]}" for name, (sign, _) in BOUNDS.items() if name in limits]
    return " and ".join(bounds)


def join_key(at: str, key: Any) -> str:
    """The full key of an option in the group `at`: `optim.lr`."""
    return f"{at}.{key}" if at else str(key)


def flatten_keys(values: Mapping, at: str = "") -> dict[str, Any]:
    """Return nested groups as one mapping with full keys: {"optim": {"lr": 1}} as {"optim.lr": 1}.

    Args:
        values: Options by name, groups of options as mappings.
        at: The key of the group that holds `values`.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        full = join_key(at, key)
        found |= flatten_keys(value, full) if isinstance(value, Mapping) else {full: value}
    return found


def suggest(word: str, known: Iterable[str], label: str = "known") -> str:
    """Return the remedy for an unknown word: the nearest known word, then all known words.

    Args:
        word: What was given.
        known: What would have been accepted.
        label: What the list of known words is called.

    Examples:
        >>> suggest("tan", ["relu", "tanh"], "one of")
        'did you mean tanh? one of: relu, tanh'
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"{label}: {', '.join(known) or 'none'}"


def format_value(value: Any) -> Any:
    """A value as it is typed: null, true and false where Python has None, True and False."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


def check_value(key: str, value: Any, hint: Any, limits: Mapping) -> Any:
    """Return the value as its declared type, or raise `BadInput`."""
    accepted = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    value = as_builtin_number(value)
    if value is None and type(None) in accepted:
        return None
    hint = next((kind for kind in accepted if typing.get_origin(kind) is list), hint)
    if is_option_group(hint) or typing.get_origin(hint) is dict or hint is dict:
        if not isinstance(value, Mapping):
            raise BadInput(f"{key}={format_value(value)}: expected a group of keys")
        return build(hint, value, key) if is_option_group(hint) else dict(value)
    if typing.get_origin(hint) is list:
        return check_list(key, value, hint, limits)
    if float in accepted and int not in accepted and type(value) is int:
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    if type(value) not in accepted:
        shown = repr(value) if is_number_as_text(value) else format_value(value)
        raise BadInput(f"{key}={shown}: expected {describe_type(hint)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{key}={value}: expected a finite number")
    if isinstance(value, float) and abs(value) > LARGEST_FLOAT:
        raise BadInput(f"{key}={value}: must be <= {LARGEST_FLOAT:g}")
    check_limits(key, value, limits)
    if isinstance(value, int) and abs(value) > LARGEST_INT:
        raise BadInput(f"{key}={value}: must be <= {LARGEST_INT}")
    return value


def is_number_as_text(value: Any) -> bool:
    """Whether a value is a text such as "8", which without its quotes would look right."""
    return isinstance(value, str) and value.strip("+-").replace(".", "", 1).isdecimal()


def as_builtin_number(value: Any) -> Any:
    """A number of numpy as that of Python; any other value as it is."""
    if type(value) in (bool, int, float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def check_list(key: str, values: Any, hint: Any, limits: Mapping) -> list:
    """Return the list with every item checked, or raise `BadInput`."""
    (item,) = typing.get_args(hint)
    if not isinstance(values, list | tuple):
        shown = format_value(values)
        raise BadInput(f"{key}={shown}: expected a list, for example {key}=[{shown}]")
    if len(values) < limits.get("min_items", 0):
        raise BadInput(f"{key}={values}: expected at least {limits['min_items']} in the list")
    return [check_value(f"{key}[{i}]", value, item, limits) for i, value in enumerate(values)]


def check_ranges(instance: Any) -> None:
    """Raise `BadInput` if a field of a dataclass breaks its limits, however it was made."""
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if value is not None:
            check_limits(field.name, value, field.metadata)
        elif field.default is not None and not accepts_none(type(instance), field.name):
            raise BadInput(f"{field.name}=None: give a value, or leave it out")


def accepts_none(cls: type, name: str) -> bool:
    """Whether a field of a dataclass may be None, by its annotation."""
    return type(None) in typing.get_args(typing.get_type_hints(cls)[name])


def check_limits(key: str, value: Any, limits: Mapping) -> None:
    """Raise `BadInput` if the value breaks a limit of its option."""
    if "choices" in limits and value not in limits["choices"]:
        remedy = suggest(str(value), map(str, limits["choices"]), "one of")
        raise BadInput(f"{key}={format_value(value)}: {remedy}")
    if limits.keys() & BOUNDS.keys() and isinstance(value, str):
        raise BadInput(f"{key}={value!r}: expected a number")
    for name, (_, holds) in BOUNDS.items():
        if name in limits and not holds(value, limits[name]):
            raise BadInput(f"{key}={format_value(value)}: must be {describe_limits(limits)}")
