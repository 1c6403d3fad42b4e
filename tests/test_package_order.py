"""Imports within stablenets point one way, also those under TYPE_CHECKING and inside functions."""

import ast
from pathlib import Path

import pytest

import stablenets

PACKAGE = Path(stablenets.__file__).parent
# Lowest level first. A package imports from itself and from lower levels.
LEVELS = [
    {"lazy", "errors"},
    {"schema"},
    {"engine"},
    {"nets", "data"},
    {"statistics"},
    {"plotting"},
    {"probes"},
    {"config"},
    {"runs"},
    {"tables"},
    {"training"},
    {"execution"},
    {"claims"},
    {"report"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
LEVEL_OF = {part: level for level, parts in enumerate(LEVELS) for part in parts}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported_modules(name):
    """The modules of stablenets that a module imports, anywhere in its source."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (submodules & MODULES.keys()) or {node.module}
    return {module for module in found & MODULES.keys() if module != "stablenets"}


IMPORTS = {name: imported_modules(name) for name in MODULES if name != "stablenets"}


def part_of(name):
    """The package or module right below stablenets."""
    return name.split(".")[1]


def test_every_package_has_a_level():
    assert {part_of(name) for name in IMPORTS} == LEVEL_OF.keys()


@pytest.mark.parametrize("part", sorted(LEVEL_OF))
def test_imports_point_to_lower_levels(part):
    assert [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in sorted(others)
        if part_of(name) == part != part_of(other) and LEVEL_OF[part_of(other)] >= LEVEL_OF[part]
    ] == []


def test_no_modules_import_each_other_in_a_cycle():
    assert cycle(IMPORTS) is None


def cycle(imports):
    """The first cycle of imports as a list of modules, or None."""
    finished = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return None
        for other in sorted(imports[name]):
            if found := search(other, [*path, name]):
                return found
        finished.add(name)
        return None

    return next((found for name in imports if (found := search(name, []))), None)


def absolute_imports(path):
    """The modules that a source file imports by absolute names, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(node.module)
    return found


def test_only_the_loader_imports_experiments():
    """It does so by name, so that a wheel can carry them under another name."""
    sources = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "scripts").glob("*.py")]
    sources += (PACKAGE.parent / "experiments").rglob("*.py")
    assert [
        str(path)
        for path in sources
        if any("experiments" in module.split(".") for module in absolute_imports(path))
    ] == []


def test_a_cycle_is_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None
