"""Options from plain mappings: good values come back as their declared types, wrong ones are
refused in one line, and every option can be described for `--help`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stablenets.errors import BadInput
from stablenets.schema import (
    OptionHelp,
    build,
    check_ranges,
    describe_options,
    flatten_keys,
    option,
)


@dataclass(frozen=True)
class Inner:
    rate: float = option(0.5, above=0.0, below=1.0)


@dataclass(frozen=True)
class Single:
    rate: float = option(0.5, above=0.0, below=1.0)
    limit: int | None = option(None, low=1)


@dataclass(frozen=True, kw_only=True)
class Options:
    name: str = option(doc="the name of the net")
    depth: int = option(3, low=1, high=9)
    count: int = option(3, low=1)
    scale: float = option(1.0, low=0.0)
    quick: bool = option(False)
    kind: str = option("tanh", choices=("tanh", "relu"))
    sizes: list[int] = option([4], low=1)
    widths: list[int] = option([8], min_items=1)
    blocks: list[int] | None = option(None, low=1)
    limit: int | None = option(None, low=1)
    clip: float | None = option(None, above=0.0)
    extra: dict = option(doc="a group that is not checked here")
    inner: Inner = option(Inner())


def build_options(**values: Any) -> Options:
    return build(Options, {"name": "n", "extra": {}} | values, "net")


def test_missing_options_take_their_defaults():
    assert build_options() == Options(name="n", extra={})
    assert build_options().sizes == [4]


def test_list_default_is_copied_for_each_instance():
    build_options().sizes.append(5)
    assert build_options().sizes == [4]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depth", 9),
        ("scale", 0.0),
        ("quick", True),
        ("kind", "relu"),
        ("sizes", [1, 2, 3]),
        ("sizes", []),
        ("blocks", None),
        ("blocks", [2]),
        ("count", 2**63 - 1),
        ("limit", None),
        ("limit", 7),
        ("clip", None),
        ("clip", 0.1),
        ("extra", {"anything": [1]}),
    ],
)
def test_good_value_comes_back_unchanged(key, value):
    found = getattr(build_options(**{key: value}), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("key", ["scale", "clip"])
def test_whole_number_is_accepted_as_a_float(key):
    found = getattr(build_options(**{key: 2}), key)
    assert (found, type(found)) == (2.0, float)


def test_numbers_of_numpy_become_those_of_python():
    found = build_options(depth=np.int64(8), scale=np.float32(0.5), sizes=[np.int32(4)])
    assert (found.depth, found.scale, found.sizes) == (8, 0.5, [4])
    assert [type(value) for value in (found.depth, found.scale, *found.sizes)] == [int, float, int]


def test_only_options_that_may_be_none_are_none_however_they_are_made():
    check_ranges(Single(limit=None))
    with pytest.raises(BadInput, match="rate=None"):
        check_ranges(Single(rate=None))


def test_tuple_is_accepted_as_a_list():
    assert build_options(sizes=(1, 2)).sizes == [1, 2]


def test_group_of_keys_becomes_its_own_dataclass():
    assert build_options(inner={"rate": 0.25}).inner == Inner(0.25)


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        (
            {"depht": 3},
            "net.depht",
            ["unknown key", "did you mean depth?", "known here: blocks, clip, count, depth"],
        ),
        ({"zzz": 3}, "net.zzz", ["unknown key", "known here: blocks, clip, count, depth"]),
        ({"inner": {"rat": 1}}, "net.inner.rat", ["unknown key", "did you mean rate?"]),
        ({"depth": True}, "net.depth=true", ["expected a whole number"]),
        ({"depth": 2.0}, "net.depth=2.0", ["expected a whole number"]),
        ({"depth": "3"}, "net.depth='3'", ["expected a whole number"]),
        ({"depth": None}, "net.depth=null", ["expected a whole number"]),
        ({"scale": True}, "net.scale=true", ["expected a number"]),
        ({"scale": "high"}, "net.scale=high", ["expected a number"]),
        ({"scale": float("nan")}, "net.scale=nan", ["finite"]),
        ({"scale": float("inf")}, "net.scale=inf", ["finite"]),
        ({"quick": 1}, "net.quick=1", ["expected true or false"]),
        ({"name": 5}, "net.name=5", ["expected a name"]),
        ({"limit": 2.5}, "net.limit=2.5", ["expected a whole number or null"]),
        ({"clip": "x"}, "net.clip=x", ["expected a number or null"]),
        ({"depth": 0}, "net.depth=0", ["must be >= 1 and <= 9"]),
        ({"depth": 10}, "net.depth=10", ["must be >= 1 and <= 9"]),
        ({"limit": 0}, "net.limit=0", ["must be >= 1"]),
        ({"clip": 0}, "net.clip=0.0", ["must be > 0.0"]),
        ({"inner": {"rate": 1.0}}, "net.inner.rate=1.0", ["must be > 0.0 and < 1.0"]),
        ({"inner": 3}, "net.inner=3", ["group of keys"]),
        ({"kind": "tan"}, "net.kind=tan", ["did you mean tanh?", "one of: relu, tanh"]),
        ({"sizes": 4}, "net.sizes=4", ["expected a list", "net.sizes=[4]"]),
        ({"sizes": [4, 0]}, "net.sizes[1]=0", ["must be >= 1"]),
        ({"sizes": [4, "a"]}, "net.sizes[1]=a", ["expected a whole number"]),
        ({"sizes": [[4]]}, "net.sizes[0]=[4]", ["expected a whole number"]),
        ({"sizes": None}, "net.sizes=null", ["expected a list"]),
        ({"widths": []}, "net.widths=[]", ["expected at least 1 in the list"]),
        ({"blocks": 4}, "net.blocks=4", ["expected a list", "net.blocks=[4]"]),
        ({"count": 10**20}, f"net.count={10**20}", [f"must be <= {2**63 - 1}"]),
        ({"count": -(10**20)}, f"net.count={-(10**20)}", ["must be >= 1"]),
        ({"scale": 10**400}, "net.scale=inf", ["expected a finite number"]),
        ({"depth": [3]}, "net.depth=[3]", ["expected a whole number"]),
        ({"depth": {"a": 3}}, "net.depth={'a': 3}", ["expected a whole number"]),
        ({"name": ["n"]}, "net.name=['n']", ["expected a name"]),
        ({"kind": ["tanh"]}, "net.kind=['tanh']", ["expected a name"]),
        ({"limit": [7]}, "net.limit=[7]", ["expected a whole number or null"]),
        ({"quick": [True]}, "net.quick=[True]", ["expected true or false"]),
        ({"extra": 3}, "net.extra=3", ["expected a group of keys"]),
        ({"extra": ["a"]}, "net.extra=['a']", ["expected a group of keys"]),
    ],
)
def test_wrong_option_is_one_line_with_key_value_and_remedy(values, key, words):
    with pytest.raises(BadInput) as caught:
        build_options(**values)
    line = str(caught.value)
    assert line.startswith(f"{key}: ")
    assert "\n" not in line
    assert all(word in line for word in words), line


def test_missing_required_option_is_refused_with_its_meaning():
    with pytest.raises(BadInput, match=r"^net\.name: missing; the name of the net$"):
        build(Options, {"extra": {}}, "net")


def test_key_at_the_top_has_no_prefix():
    with pytest.raises(BadInput, match=r"^depth=0: "):
        build(Options, {"name": "n", "depth": 0})


def test_every_option_is_described_with_its_full_key():
    described = {row.key: row for row in describe_options(Options, "net")}
    assert list(described) == [
        "net.name", "net.depth", "net.count", "net.scale", "net.quick", "net.kind", "net.sizes",
        "net.widths", "net.blocks", "net.limit", "net.clip", "net.extra", "net.inner.rate",
    ]  # fmt: skip
    assert described["net.name"] == OptionHelp(
        "net.name", "a name", "required", "", "the name of the net"
    )
    assert described["net.depth"][1:4] == ("a whole number", "3", ">= 1 and <= 9")
    assert described["net.quick"][1:4] == ("true or false", "false", "")
    assert described["net.kind"][1:4] == ("a name", "tanh", "one of: relu, tanh")
    assert described["net.sizes"][1:4] == ("a list of whole numbers", "[4]", ">= 1")
    assert described["net.blocks"][1:4] == ("a list of whole numbers or null", "null", ">= 1")
    assert described["net.clip"][1:4] == ("a number or null", "null", "> 0.0")
    assert described["net.extra"][1:3] == ("a group of keys", "required")
    assert described["net.inner.rate"][2:4] == ("0.5", "> 0.0 and < 1.0")


def test_nested_groups_are_flattened_to_full_keys():
    nested = {"depth": 3, "optim": {"lr": 0.1, "steps": {"first": [1]}}, "tags": []}
    assert flatten_keys(nested) == {
        "depth": 3, "optim.lr": 0.1, "optim.steps.first": [1], "tags": [],
    }  # fmt: skip
