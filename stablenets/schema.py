"""Typed options: a frozen dataclass is the schema, `build` checks a plain mapping against it.

Every part that can be configured (the run, a dataset, a family of networks, an optimiser) is a
frozen dataclass whose fields are made with `option`. A wrong key, type or range raises `BadInput`
with one line: the full key, the value, what would be right.
"""

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from stablenets.errors import BadInput

NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a name",
    type(None): "null",
}


def option(
    default: Any = dataclasses.MISSING,
    doc: str = "",
    *,
    low=None,
    high=None,
    above=None,
    below=None,
    choices=None,
) -> Any:
    """A field with its meaning and its range: low <= value <= high, above < value < below, or one
    of choices.
    """
    limits = {"low": low, "high": high, "above": above, "below": below, "choices": choices}
    metadata = {"doc": doc, **{name: limit for name, limit in limits.items() if limit is not None}}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def build(cls: type, values: Mapping, at: str = "") -> Any:
    """An instance of the dataclass `cls` from a mapping; `at` is the key under which the mapping
    stands ('net', '' at the top).
    """
    known = {field.name: field for field in dataclasses.fields(cls) if field.init}
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in known:
            raise BadInput(
                f"{join(at, key)}: unknown key; {suggest(str(key), known, 'known here')}"
            )
    checked = {}
    for name, field in known.items():
        if name in values:
            checked[name] = check(join(at, name), values[name], hints[name], field.metadata)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadInput(
                f"{join(at, name)}: missing; {field.metadata.get('doc') or 'it has no default'}"
            )
    return cls(**checked)


def join(at: str, key: Any) -> str:
    return f"{at}.{key}" if at else str(key)


def flat(values: Mapping, at: str = "") -> dict[str, Any]:
    """Nested keys as `optim.lr`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= (
            flat(value, join(at, key)) if isinstance(value, Mapping) else {join(at, key): value}
        )
    return found


def suggest(word: str, known: typing.Iterable[str], label: str = "known") -> str:
    """The remedy for an unknown word: the nearest known one first, then all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"{label}: {', '.join(known) or 'none'}"


def typed(value: Any) -> Any:
    """A value as one types it: null, true and false where Python says None, True and False."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


def check(key: str, value: Any, hint: Any, metadata: Mapping) -> Any:
    """The value as its declared type, or one line that says why not."""
    if value is not None and isinstance(
        hint, types.UnionType
    ):  # `list[int] | None` is checked as the list that it is
        hint = next(
            (kind for kind in typing.get_args(hint) if typing.get_origin(kind) is list), hint
        )
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise BadInput(f"{key}={typed(value)}: expected a group of keys")
        return build(hint, value, key)
    if typing.get_origin(hint) is dict:
        return dict(value)
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        if not isinstance(value, list | tuple):
            raise BadInput(f"{key}={typed(value)}: expected a list, for example {key}=[{value}]")
        return [check(f"{key}[{i}]", entry, item, metadata) for i, entry in enumerate(value)]
    accepted = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in accepted:
        return None
    if (
        float in accepted
        and isinstance(value, int)
        and not isinstance(value, bool)
        and int not in accepted
    ):
        value = float(value)
    if type(value) not in accepted:
        raise BadInput(
            f"{key}={typed(value)}: expected {' or '.join(NAMES[kind] for kind in accepted)}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{key}={typed(value)}: expected a finite number")
    return in_range(key, value, metadata)


def valid(made: Any) -> None:
    """Refuses an instance with a value out of its range, however it was made."""
    for field in dataclasses.fields(made):
        if (value := getattr(made, field.name)) is not None:
            in_range(field.name, value, field.metadata)


def in_range(key: str, value: Any, limits: Mapping) -> Any:
    if "choices" in limits and value not in limits["choices"]:
        raise BadInput(
            f"{key}={typed(value)}: {suggest(str(value), map(str, limits['choices']), 'one of')}"
        )
    tests = [
        ("low", ">=", lambda limit: value >= limit),
        ("high", "<=", lambda limit: value <= limit),
        ("above", ">", lambda limit: value > limit),
        ("below", "<", lambda limit: value < limit),
    ]
    wanted = [f"{sign} {limits[name]}" for name, sign, _ in tests if name in limits]
    if not all(holds(limits[name]) for name, _, holds in tests if name in limits):
        raise BadInput(f"{key}={typed(value)}: must be {' and '.join(wanted)}")
    return value
