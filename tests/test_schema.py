"""A wrong option is one line that names the full key, the value and the remedy; a right one comes
back as its declared type.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from stablenets.errors import BadInput
from stablenets.schema import build, option


@dataclass(frozen=True)
class Inner:
    rate: float = option(0.5, above=0.0, below=1.0)


@dataclass(frozen=True, kw_only=True)
class Options:
    name: str = option(doc="what to call it")
    depth: int = option(3, low=1, high=9)
    scale: float = option(1.0, low=0.0)
    quick: bool = option(False)
    kind: str = option("tanh", choices=("tanh", "relu"))
    sizes: list[int] = option([4], low=1)
    limit: int | None = option(None, low=1)
    clip: float | None = option(None, above=0.0)
    extra: dict = option(doc="checked by somebody else")
    inner: Inner = option(Inner())


def made(**values: Any) -> Options:
    return build(Options, {"name": "n", "extra": {}} | values, "net")


def test_defaults_stand_where_nothing_is_said():
    assert made() == Options(name="n", extra={})
    assert made().sizes == [4]


def test_list_default_is_not_shared():
    made().sizes.append(5)
    assert made().sizes == [4]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depth", 9),
        ("scale", 0.0),
        ("quick", True),
        ("kind", "relu"),
        ("sizes", [1, 2, 3]),
        ("sizes", []),
        ("limit", None),
        ("limit", 7),
        ("clip", None),
        ("clip", 0.1),
        ("extra", {"anything": [1]}),
    ],
)
def test_good_value_comes_back_as_it_is(key, value):
    found = getattr(made(**{key: value}), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("key", ["scale", "clip"])
def test_whole_number_is_accepted_as_a_float(key):
    found = getattr(made(**{key: 2}), key)
    assert (found, type(found)) == (2.0, float)


def test_tuple_is_accepted_as_a_list():
    assert made(sizes=(1, 2)).sizes == [1, 2]


def test_group_becomes_its_own_options():
    assert made(inner={"rate": 0.25}).inner == Inner(0.25)


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        (
            {"depht": 3},
            "net.depht",
            ["unknown key", "did you mean depth?", "known here: clip, depth"],
        ),
        ({"zzz": 3}, "net.zzz", ["unknown key", "known here: clip, depth"]),
        ({"inner": {"rat": 1}}, "net.inner.rat", ["unknown key", "did you mean rate?"]),
        ({"depth": True}, "net.depth=true", ["expected a whole number"]),
        ({"depth": 2.0}, "net.depth=2.0", ["expected a whole number"]),
        ({"depth": "3"}, "net.depth=3", ["expected a whole number"]),
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
    ],
)
def test_wrong_option_is_one_line_with_key_value_and_remedy(values, key, words):
    with pytest.raises(BadInput) as caught:
        made(**values)
    line = str(caught.value)
    assert line.startswith(f"{key}: ")
    assert "\n" not in line
    assert all(word in line for word in words), line


def test_missing_option_says_what_it_means():
    with pytest.raises(BadInput, match=r"^net\.name: missing; what to call it$"):
        build(Options, {"extra": {}}, "net")


def test_key_at_the_top_has_no_prefix():
    with pytest.raises(BadInput, match=r"^depth=0: "):
        build(Options, {"name": "n", "depth": 0})
