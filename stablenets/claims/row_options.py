"""options.json: all resolved options of every row of a ledger, in a compact form.

    {"kinds": {"digits/hdnn": {"depth": 64, ...}},
     "runs": {"hdnn-dense-digits-L64-s1-0123456789ab": ["digits/hdnn", {"seeds.init": 1, ...}]}}

Rows of one kind (a data set and a family, or a study) have the same options. A kind holds the most
frequent value of each option, and a row holds the values that differ. Each kind and each row is one
line of the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]  # plain values by keys such as `optim.lr`


def encode_options(rows: Mapping[str, Options]) -> bytes:
    """The content of options.json.

    Args:
        rows: The options of each row, by its name.

    Examples:
        >>> decode_options(encode_options({"a": {"study": "growth", "depth": 3}}))
        {'a': {'depth': 3, 'study': 'growth'}}
    """
    members: dict[str, dict[str, Options]] = {}
    for name, options in sorted(rows.items()):
        members.setdefault(kind_of(options, members), {})[name] = options
    kinds, runs = {}, {}
    for kind, own in sorted(members.items()):
        kinds[kind] = most_frequent_values(list(own.values()))
        for name, options in own.items():
            differing = {key: value for key, value in options.items() if value != kinds[kind][key]}
            runs[name] = [kind, differing]
    sections = [
        f"{json.dumps(name)}: {json_object(part)}"
        for name, part in (("kinds", kinds), ("runs", runs))
    ]
    return ("{\n" + ",\n".join(sections) + "\n}\n").encode()


def json_object(part: Mapping[str, Any]) -> str:
    """A JSON object with one line for each key."""
    entries = [
        f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}"
        for key, value in sorted(part.items())
    ]
    return "{\n" + ",\n".join(entries) + "\n}"


def decode_options(content: bytes) -> dict[str, dict[str, Any]]:
    """The rows from which `encode_options` made this content."""
    found = json.loads(content)
    return {name: {**found["kinds"][kind], **own} for name, (kind, own) in found["runs"].items()}


def kind_of(options: Options, members: Mapping[str, Mapping[str, Options]]) -> str:
    """The kind of a row; with a number if rows of this kind have different sets of options."""
    label = options.get("study") or f"{options['dataset.name']}/{options['net.family']}"
    kind, number = label, 1
    while kind in members and next(iter(members[kind].values())).keys() != options.keys():
        number += 1
        kind = f"{label} {number}"
    return kind


def most_frequent_values(rows: list[Options]) -> dict[str, Any]:
    """The most frequent value of each option."""
    found = {}
    for key in rows[0]:
        counted = Counter(json.dumps(row[key]) for row in rows)
        found[key] = json.loads(counted.most_common(1)[0][0])
    return found
