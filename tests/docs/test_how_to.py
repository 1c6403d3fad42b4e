"""The worked examples of docs/how-to run as printed."""

import sys
from pathlib import Path

import pytest
import torch

from stablenets import cli
from stablenets.claims import ledger
from stablenets.claims.loader import load_paper
from stablenets.claims.results import Results
from stablenets.nets import FAMILIES, Flow


def test_add_a_family(run_page):
    run_page("how-to/add-a-family.md")
    flow = Flow(FAMILIES["damped"](damping=0.2), width=3, depth=2, h=0.1).double()
    x = y = torch.randn(4, 3, dtype=torch.float64)
    for K, b in zip(flow.K, flow.b, strict=True):
        y = y + 0.1 * (torch.tanh(y @ K + b) - 0.2 * y)
    assert torch.allclose(flow(x), y, atol=1e-14)


def test_the_family_of_the_page_takes_part_in_the_comparison(run_page, place):
    """It needs no other change; its settings are marked as defaults."""
    run_page("how-to/add-a-family.md", execute=False)
    comparison = load_paper("compare")
    plan = comparison.plan("smoke")
    own = {
        group: [work for work in works if work.options.get("net.family") == "damped"]
        for group, works in plan.items()
    }
    assert {group: len(works) for group, works in own.items() if works} == {
        "swiss_roll": 1,
        "digits": 1,
    }
    assert sum("damped" in work.options.get("training", "") for work in plan["cost"]) == 2
    assert own["digits"][0].run(place).status == "done"
    entries, _ = ledger.collect_entries(own["digits"], place.runs)
    table = comparison.tables["accuracy"].make(Results(plan, entries))
    assert list(table["family"]) == ["damped (not searched)"]


def test_use_in_your_training_loop(run_page):
    names = run_page("how-to/use-in-your-training-loop.md")
    assert names["net"](torch.randn(2, 64)).shape == (2, 10)
    assert names["outcome"].status == "done"


def test_make_blocks_reversible(run_page):
    names = run_page("how-to/make-blocks-reversible.md")
    assert names["net"](torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_add_a_recurrent_family(run_page):
    names = run_page("how-to/add-a-recurrent-family.md")
    assert FAMILIES["leaky"] is names["Leaky"]
    layer, x = names["layer"], names["sequences"]
    h = torch.zeros(8, 16)
    for u in x.unbind(1):
        h = 0.8 * h + 0.2 * torch.tanh(h @ layer.W.T + u @ layer.U.T + layer.b)
    assert torch.allclose(layer(x), h, atol=1e-5)


def test_add_a_paper(run_page, monkeypatch, capsys, place):
    """The page's runs are made, and its command decides the claim."""
    names = run_page("how-to/add-a-paper.md")
    sys.modules["tests.papers.example2026.test_claims"].test_the_gap_decides_the_first_claim()
    assert names["outcome"].status == "done"
    monkeypatch.setattr(sys, "argv", ["stablenets", "reproduce", "example2026"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    assert "reproduced" in capsys.readouterr().out
    written = Path("reproduced/example2026/quick/claims.csv").read_text()
    assert ",reproduced," in written
    works = sys.modules["spectra2026"].PAPER.plan("smoke")["spectra"]
    metrics = works[0].run(place).summary
    assert 0.5 < metrics["lowest"] < metrics["highest"] < 2
