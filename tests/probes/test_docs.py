"""The code of docs/probes.md runs, and what it asserts holds."""

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


def test_the_page_shows_every_probe():
    text = PAGE.read_text()
    parts = {
        "Density",
        "FULL_UP_TO",
        "Gradients",
        "INTEGRATORS",
        "Isometry",
        "STEPS",
        "Spectrum",
        "Stability",
        "golub_kahans",
        "growth",
        "log_spaced",
        "singular_values",
        "slope",
        "states",
        "weight_gradients",
    }
    assert [
        name for name in probes.__all__ if f"probes.{name}" not in text and name not in parts
    ] == []
