"""The code of docs/probes.md runs, its assertions hold, and it shows every function."""

import inspect
import re
from pathlib import Path

import torch

from stablenets import probes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "probes.md"


def test_every_block_of_the_page_runs(capsys):
    namespace = {}
    state = torch.get_rng_state()
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)
    torch.set_rng_state(state)
    assert "not finite at this point" in capsys.readouterr().out


def test_the_page_shows_every_function():
    text = PAGE.read_text()
    functions = [name for name in probes.__all__ if inspect.isfunction(getattr(probes, name))]
    assert [name for name in functions if f"probes.{name}(" not in text] == []
