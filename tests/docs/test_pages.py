"""The pages of docs/ and the README: links, navigation, code, and what they state."""

import re
import runpy
from pathlib import Path

import pytest
import torch
import yaml
from torch.func import functional_call, grad

from stablenets.nets import Flow, Hamiltonian

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def navigation(entries):
    for entry in entries:
        (value,) = entry.values()
        yield from navigation(value) if isinstance(value, list) else [value]


def test_the_navigation_lists_every_page_once():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(navigation(nav)) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["concepts.md", "questions.md", "report.md", "api/runs.md"])
def test_the_code_of_a_page_runs(page, run_page):
    run_page(page)


def test_the_code_of_the_readme_runs(run_page):
    names = run_page("../README.md")
    assert names["layer"](torch.randn(2, 64)).shape == (2, 64)
    assert names["block"].backward == "reverse"


def test_the_verdicts_of_the_readme_are_those_of_the_results():
    """If this fails: python scripts/update_readme.py."""
    script = runpy.run_path(str(ROOT / "scripts" / "update_readme.py"))
    text = (ROOT / "README.md").read_text()
    assert text == script["with_table"](text, script["verdict_table"]())


def rows_of_backward():
    page = (ROOT / "docs" / "concepts.md").read_text()
    row = r"^\| `(\w+)` \| [^|]+ \| (yes|no) \| (yes|no) \|"
    return re.findall(row, page, re.M)


@pytest.mark.parametrize(("backward", "second", "functional"), rows_of_backward())
def test_the_table_of_backward_modes_is_true(backward, second, functional):
    flow = Flow(Hamiltonian(), width=4, depth=5, h=0.1, backward=backward).double()
    x = torch.randn(3, 4, dtype=torch.float64)

    def second_derivative():
        first = torch.autograd.grad(flow(x).square().mean(), flow.K1, create_graph=True)[0]
        first.square().sum().backward()

    def functional_gradient():
        grad(lambda weights: functional_call(flow, weights, (x,)).square().mean())(
            dict(flow.named_parameters())
        )

    for work, stated in ((second_derivative, second), (functional_gradient, functional)):
        try:
            work()
        except RuntimeError:
            assert stated == "no"
        else:
            assert stated == "yes"
