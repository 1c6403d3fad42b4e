"""options.json: all resolved options of every row of a ledger, in a compact form.

    {"kinds": {"digits/hdnn": {"depth": 64, ...}},
     "runs": {"hdnn-dense-digits-L64-s1-0123456789ab": ["digits/hdnn", {"seeds.init": 1, ...}]}}

Rows of one kind (a data set and a family, or a study) have the same options. A kind holds the most
frequent value of each, a row the values that differ from it. One line a kind and a row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]  # plain values by keys as `optim.lr`


def encode_options(rows: Mapping[str, Options]) -> bytes:
    """The content of options.json for rows by their names."""
    members: dict[str, dict[str, Options]] = {}
    for name, options in sorted(rows.items()):
        members.setdefault(kind_of(options, members), {})[name] = options
    kinds = {
        kind: most_frequent_values(list(own.values())) for kind, own in sorted(members.items())
    }
    runs = {
        name: [kind, {key: value for key, value in options.items() if value != kinds[kind][key]}]
        for kind, own in members.items()
        for name, options in own.items()
    }
    lines = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}"
            for key, value in sorted(part.items())
        )
        + "\n}"
        for name, part in (("kinds", kinds), ("runs", runs))
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def decode_options(content: bytes) -> dict[str, dict[str, Any]]:
    """The rows that `encode_options` was given."""
    found = json.loads(content)
    return {name: {**found["kinds"][kind], **own} for name, (kind, own) in found["runs"].items()}


def kind_of(options: Options, members: Mapping[str, Mapping[str, Options]]) -> str:
    """The kind of a row; numbered where rows of the same kind were made with different sets of
    options.
    """
    label = options.get("study") or f"{options['dataset.name']}/{options['net.family']}"
    kind, number = label, 1
    while kind in members and next(iter(members[kind].values())).keys() != options.keys():
        number += 1
        kind = f"{label} {number}"
    return kind


def most_frequent_values(rows: list[Options]) -> dict[str, Any]:
    """By key the value that most rows have."""
    found = {}
    for key in rows[0]:
        counted = Counter(json.dumps(row[key]) for row in rows)
        found[key] = json.loads(counted.most_common(1)[0][0])
    return found
