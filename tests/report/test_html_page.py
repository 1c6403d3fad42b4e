"""The HTML report: every claim and number is there, texts are escaped, nothing is fetched."""

import base64
import gzip
import html
import json
import math
import re

import altair as alt
import pytest

from stablenets.claims.cells import claim_cells, criterion_cells
from stablenets.claims.loader import CHECKOUT, load_paper, paper_modules
from stablenets.claims.summary import final_rows, read_criteria
from stablenets.report.chart_specs import chart_specs
from stablenets.report.claim_reasons import (
    limits_of_claim,
    outlook_of_claim,
    reasons_for_verdict,
    seeds_needed,
)
from stablenets.report.html_page import unknown_papers, write_html
from stablenets.report.named_tables import named_tables
from stablenets.report.page_json import json_text, short_number
from stablenets.report.page_texts import simple_markdown
from stablenets.report.store import read_runs

RESULTS = CHECKOUT / "results"
SCRIPT = re.compile(r'<script type="[^"]*" id="([^"]*)">(.*?)</script>', re.DOTALL)
PAPERS = [handle for handle in paper_modules() if (RESULTS / handle).is_dir()]


@pytest.fixture(scope="module")
def parts(committed_page):
    """The claims of the page as texts by anchor, and its data by the id of the script."""
    page = committed_page.read_text()
    claims = {}
    for block in page.split('<details class="claim" id="')[1:]:
        anchor, _, rest = block.partition('"')
        text = re.sub(r"<[^>]*>", " ", rest)
        claims[anchor] = " ".join(html.unescape(text).split())
    return claims, dict(SCRIPT.findall(page))


def words(text):
    """A text as it is in `parts`: with single spaces, also for the marks of code."""
    return " ".join(str(text).replace("`", " ").split())


@pytest.mark.parametrize("handle", PAPERS)
def test_every_claim_is_there_with_all_its_numbers(parts, handle):
    claims, _ = parts
    for row in final_rows(load_paper(handle), RESULTS / handle):
        text = claims[f"{handle}-{row['id']}"]
        cells = claim_cells(row)
        for name in ("claim", "verdict", "paper", "measured", "our value", "95 % interval"):
            assert words(cells[name]) in text, (row["id"], name)
        if row["profile"]:
            table = read_criteria(RESULTS / handle / row["profile"] / "criteria.csv")
            for criterion in table[table["id"] == row["id"]].to_dict("records"):
                expected = " ".join(words(cell) for cell in criterion_cells(criterion).values())
                assert words(expected) in text, row["id"]
        assert f"stablenets reproduce {handle} --profile" in text


def test_no_claim_is_there_twice_and_the_data_have_all_figures(parts, committed_page):
    claims, scripts = parts
    assert len(claims) == sum(len(load_paper(handle).claims) for handle in PAPERS)
    page = committed_page.read_text()
    asked = set(re.findall(r'data-figure="([^"]*)"', page))
    figures = json.loads(scripts["report-data"])["figures"]
    assert asked == figures.keys()
    assert all(image["uri"].startswith("data:image/png;base64,") for image in figures.values())


def test_the_page_is_small_and_has_no_address_of_a_network(committed_page):
    page = committed_page.read_text()
    assert len(page.encode()) < 10e6
    addresses = set(re.findall(r"""(?:https?:)?//[\w-]+\.[\w.-]+[^\s"'`)<\\]*""", page))
    # namespaces and ids of schemata, and addresses in messages of the chart library
    allowed = r"https?://(www\.w3\.org/|vega\.github\.io/(schema|editor)/|github\.com/vega/)"
    assert [address for address in addresses if not re.match(allowed, address)] == []
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(?:link|iframe|script)|<img[^>]* src=|@import|url\(", markup)
    assert "default-src 'none'" in page


def test_the_data_of_the_comparison_can_be_unpacked(parts):
    _, scripts = parts
    packed = gzip.decompress(base64.b64decode(scripts["comparison-data"]))
    assert len(json.loads(packed)) == json.loads(scripts["report-data"])["count"]


def test_all_specifications_are_valid_vega_lite():
    for name, spec in chart_specs(["plain", "resnet"]).items():
        alt.Chart.from_dict(spec, validate=True)
        assert spec["data"] == {"name": "rows"}, name


def test_texts_of_files_are_escaped(write_run, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)>"
    write_run(net=hostile)
    command = "<b>command</b>"
    page = write_html(read_runs(tmp_path / "runs"), tmp_path / "none", tmp_path / "out", command)
    text = page.read_text()
    assert hostile not in text
    assert command not in text
    assert html.escape(command) in text
    packed = dict(SCRIPT.findall(text))["comparison-data"]
    assert json.loads(gzip.decompress(base64.b64decode(packed)))[0]["family"] == hostile


def test_markdown_of_a_readme_becomes_safe_text():
    text = "**Few** `seeds`, <b>see</b> [claim 3](../x.md) <!-- result: a 1 -->2<!-- end -->"
    expected = "<b>Few</b> <code>seeds</code>, &lt;b&gt;see&lt;/b&gt; claim 3 2"
    assert simple_markdown(text) == expected


def test_tables_that_a_text_names_are_read_with_those_that_their_captions_name(tmp_path):
    for profile, cell in (("quick", "1"), ("full", "2")):
        (tmp_path / profile).mkdir()
        text = f"Ranks (table `b`).\n\n| a |\n| --- |\n| {cell} |\n\nmade by\n"
        (tmp_path / profile / "c.md").write_text(text)
    (tmp_path / "quick" / "b.md").write_text(
        "B.\n\n| x | y |\n| --- | --- |\n|  | 3 |\n\nmade by\n"
    )
    found = named_tables(["tables `c` and `missing`, and `d`"], tmp_path)
    assert list(found) == ["b", "c"]
    assert (found["c"].profile, found["c"].rows) == ("full", [{"a": "2"}])
    assert found["b"].rows == [{"x": "", "y": "3"}]
    text = simple_markdown("tables `c` and `other`; `c`", found)
    assert text.count(f'<a href="#{found["c"].anchor}">') == 1
    assert text.count("<a ") == 1


def test_each_link_within_the_page_has_its_target(committed_page):
    page = re.sub(r"<script.*?</script>", "", committed_page.read_text(), flags=re.DOTALL)
    ids = set(re.findall(r' id="([^"]*)"', page)) | {"claims", "compare", "help"}
    links = set(re.findall(r'href="#([^"?]*)', page))
    assert links - ids == set()
    assert any(link.startswith("table-") for link in links)


def test_numbers_for_scripts_are_short_and_finite():
    assert [short_number(value) for value in (0.123456, 3.0, 1e-310)] == [0.1235, 3, 0]
    assert [short_number(value) for value in (None, float("nan"), float("inf"))] == [None] * 3
    assert "<" not in json_text(["</script>"])
    with pytest.raises(ValueError, match="JSON"):
        json_text([float("nan")])


def criterion(state, role="deciding", low=0.0):
    return {
        **{"criterion": "gap", "role": role, "value": 1.0, "low": low, "high": 2.0, "n": 3},
        **{"relation": ">", "threshold": 3.0, "unit": "points", "state": state},
    }


def test_reasons_name_each_criterion_that_is_not_held():
    row = {"verdict": "partly", "profile": "quick", "dataset": "digits", "seeds": "3"}
    rows = [criterion("held"), criterion("refuted"), criterion("open", low=float("nan"))]
    rows.append(criterion("refuted", role="condition"))
    assert reasons_for_verdict(row, rows) == [
        "Held: 1 of 3 deciding criteria.",
        "Refuted: gap is 1 points, interval 0 to 2; it must be > 3.",
        "Open: gap is 1 points, without an interval; it must be > 3.",
        "Condition not held: gap is 1 points, interval 0 to 2; it must be > 3.",
    ]
    limits = limits_of_claim(row, rows)
    assert limits[0] == "Measured at profile quick on digits with 3 seeds."
    assert limits[-1].startswith("1 of 4 criteria have no interval")
    assert outlook_of_claim(row, rows, "quick", 3) == []  # the verdict is not undecided
    reason = reasons_for_verdict({"verdict": "not run", "reason": "only on digits"}, [])
    assert reason == ["Not run: only on digits."]


@pytest.mark.parametrize(
    ("threshold", "needed"),
    [(0.0, 3), (0.5, 12), (0.9, 300), (1.5, 12), (1.0, math.inf)],
)
def test_an_open_criterion_needs_seeds_until_its_interval_ends_at_the_threshold(threshold, needed):
    row = criterion("open") | {"threshold": threshold}
    assert seeds_needed(row) == pytest.approx(needed)
    lines = outlook_of_claim({"verdict": "undecided"}, [row], "full", 3)
    assert len(lines) == 1
    assert (f" {needed} " in lines[0]) == (needed <= 100)


def test_the_command_says_that_there_are_no_run_folders(run_cli, write_results, tmp_path):
    results = write_results([{}])
    found = run_cli("report", "--results", str(results), "--out", "page", small=False)
    assert (found.code, found.err) == (0, "")
    assert "no run folders" in found.out
    assert found.out.endswith("page/report.html\n")
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["report.html"]


def test_results_of_papers_that_are_not_known_are_named(write_results):
    results = write_results([{}])
    assert unknown_papers(results) == []
    (results / "compare").rename(results / "mine2026")
    assert unknown_papers(results) == ["mine2026"]
