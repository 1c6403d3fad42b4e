"""The modules of the engine import each other in one direction, also under TYPE_CHECKING."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import stablenets.engine

FOLDER = Path(stablenets.engine.__file__).parent


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the engine that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "stablenets.engine":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "stablenets.engine."
        ):
            found.add(node.module.rsplit(".", 1)[1])
    return found


def test_no_import_cycle_in_the_engine():
    graph = {path.stem: imported_modules(path) for path in FOLDER.glob("*.py")}
    assert {"dynamics", "stack", "flow"} <= set(TopologicalSorter(graph).static_order())
