"""Runs the code of a documentation page as a reader would: from top to bottom."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from stablenets import data, nets
from stablenets.claims.loader import experiments_package

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = {
    "FAMILIES": nets.FAMILIES,
    "DATASETS": data.DATASETS,
    "PAPERS": experiments_package().PAPERS,
}
FENCE = re.compile(
    r'^```(?P<language>python|diff)(?: title="(?P<file>[^"]+)")?\n(?P<code>.*?)^```\n', re.M | re.S
)


@pytest.fixture
def run_page(tmp_path, monkeypatch, torch_globals):
    """Return a function run(page, execute=True) that runs the code blocks of a page of docs/.

    It returns the names that the blocks define. A Python block with a title is a file: it is
    imported as the module of that path. A diff block adds imports and entries to the registry that
    it shows. Any other Python block is executed, unless `execute` is false. Imports and entries are
    undone after the test.
    """
    monkeypatch.chdir(tmp_path)

    def add_module(file, code):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)

    def apply_diff(code, names):
        for line in code.splitlines():
            if line.startswith("+from "):
                exec(line[1:], names)
            elif opened := re.match(r" (\w+)\b.* = \{$", line):
                registry = REGISTRIES[opened[1]]
            elif entry := re.match(r'\+ +"(\w+)": (.+),$', line):
                monkeypatch.setitem(registry, entry[1], eval(entry[2], names))

    def run(page, execute=True):
        names = {}
        for number, block in enumerate(FENCE.finditer((ROOT / "docs" / page).read_text()), 1):
            if block["language"] == "diff":
                apply_diff(block["code"], names)
            elif block["file"]:
                add_module(block["file"], block["code"])
            elif execute:
                exec(compile(block["code"], f"{page}, block {number}", "exec"), names)
        return names

    return run
