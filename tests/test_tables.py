"""Tables in markdown, csv and tex, and on a terminal."""

import math

import pandas as pd
import pytest

from stablenets import tables
from stablenets.statistics import Estimate


def test_tables_say_what_made_them_in_all_three_forms(tmp_path):
    tables.write_table(
        pd.DataFrame({"net_a": [1.23456, math.nan], "p|q": ["50 %", None]}),
        tmp_path / "t",
        "A caption.",
        "Made so.",
    )
    markdown, tex = (tmp_path / "t.md").read_text(), (tmp_path / "t.tex").read_text()
    assert "| 1.235 | 50 % |" in markdown
    assert "|  |  |" in markdown
    assert "p∣q" in markdown
    assert r"50 \%" in tex
    assert r"net\_a" in tex
    assert all("Made so." in text for text in (markdown, tex))
    assert pd.read_csv(tmp_path / "t.csv")["net_a"][0] == 1.23456


def test_an_estimate_is_text_for_people_and_three_numbers_in_csv(tmp_path):
    cells = [Estimate(1.0, 0.5, 1.5, 3), Estimate(2.0, math.nan, math.nan, 1), None]
    tables.write_table(
        pd.DataFrame({"net": list("abc"), "loss": cells}), tmp_path / "t", "C.", "O."
    )
    assert "| a | 1 [0.5, 1.5] |" in (tmp_path / "t.md").read_text()
    assert "| c |  |" in (tmp_path / "t.md").read_text()
    content = pd.read_csv(tmp_path / "t.csv")
    assert list(content) == ["net", "loss", "loss, low", "loss, high"]
    assert content["loss"].tolist() == pytest.approx([1, 2, math.nan], nan_ok=True)
    assert content["loss, high"].tolist() == pytest.approx([1.5, math.nan, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17420.0, "17,420"),
        (-50231.7, "-50,232"),
        (9999.4, "9,999"),
        (999.96, "1,000"),
        (1024, "1,024"),
        (-11.975, "-11.97"),
        (-11.97500000000001, "-11.97"),
        (2.5e8, "2.5e+08"),
        (0.01234567, "0.01235"),
        (1.5e-323, "below 1e-300"),
        (math.inf, "beyond 1e308"),
        (-math.inf, "beyond -1e308"),
        (0.0, "0"),
        (17420, "17,420"),
        (math.nan, ""),
        (None, ""),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert tables.format_cell(value) == text


def test_text_fits_its_width_and_wraps_the_first_column():
    frame = pd.DataFrame({"label": ["a b c d e f g h i j k l m"], "x": [0.5], "y": ["z" * 20]})
    lines = tables.format_text(frame, 24).splitlines()
    assert max(map(len, lines)) <= 24
    assert "0.5" in lines[1]
    assert "z" not in "".join(lines)
    assert " ".join(line[:12] for line in lines[1:]).split() == list("abcdefghijklm")


def test_columns_of_numbers_are_aligned_to_the_right_in_latex():
    frame = pd.DataFrame(
        {
            "net": ["ResNet", "8x8"],
            "loss": [Estimate(1024.0, 0.5, 1.5e4, 3), None],
            "text": ["97 % [96, 98]", "-1e-05"],
            "mixed": [1.0, "not reached"],
        }
    )
    assert r"\begin{tabular}{lrrl}" in tables.format_latex(frame)
