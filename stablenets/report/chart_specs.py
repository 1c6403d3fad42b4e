"""The charts of the HTML report as Vega-Lite specifications, made by Altair.

A specification has no data: the page gives it rows under the name "rows", with the columns that the
encodings name. The page also sets the widths, from the width of the window. Colours come from the
configuration of the page, light or dark. Shapes and dashes distinguish the same things, so that
charts can be read in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import altair as alt

from stablenets.plotting.lines import COLOURS_OF_LINES
from stablenets.report.comparison import METRICS
from stablenets.report.figures import CURVES

HEIGHT = 280  # of a panel, in pixels
GAP = 0.5  # between the points of two depths, as a fraction of their distance
ROWS = alt.Data(name="rows")
LETTERS = list("ABCDEFGH")  # of the configurations that are side by side
SHAPES = [
    *("circle", "square", "triangle-up", "diamond"),
    *("cross", "triangle-down", "triangle-right", "triangle-left"),
]
# Ticks of a logarithmic axis have a label at 1, 2 and 5 times a power of ten. Vega has ticks at the
# powers alone if there are more decades than TICKS.
TICKS = 4
TEXT_OF_TICK = (
    "indexof([1, 2, 5], round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))) < 0"
    " ? '' : datum.value >= 0.001 && datum.value < 10000"
    " ? format(datum.value, '~g') : format(datum.value, '.0e')"
)
PLACE = "place in the order (0: largest, 1: smallest)"
GRADIENT = "‖∂Loss/∂Y_l‖"


def chart_specs(families: list[str]) -> dict[str, dict[str, Any]]:
    """All specifications by name: `by_depth_<metric>`, the lines of `run_curves`, and `heat`.

    Args:
        families: All families, so that each has one colour and shape in every selection.
    """
    charts: dict[str, alt.TopLevelMixin] = {
        f"by_depth_{metric['id']}": values_by_depth(metric, families) for metric in METRICS
    }
    for column, _, label, _, is_log in CURVES:
        charts[column] = lines_chart("epoch", label, is_log)
    charts["gradients"] = by_moment(lines_chart("layer / depth", GRADIENT, is_log=True))
    charts["ratio"] = lines_chart("training step", "ratio of norms", is_log=True)
    charts["spectrum"] = by_moment(lines_chart(PLACE, "singular value", is_log=True))
    charts["heat"] = gradient_map()
    return {name: chart.to_dict() for name, chart in charts.items()}


def values_by_depth(metric: dict[str, Any], families: list[str]) -> alt.FacetChart:
    """A point for each configuration with its interval, by depth; a panel for each data set.

    Points of a family are joined if it has one configuration at each depth of the data set.
    """
    y = value_axis("value:Q", metric["unit"], metric["is_log"])
    scale = alt.Scale(domain=families)
    clicked = alt.selection_point(fields=["family"], bind="legend", toggle="true")
    base = alt.Chart(ROWS).encode(
        x=alt.X(
            "depth:O",
            title="depth (layers, or time steps)",
            axis=alt.Axis(labelAngle=0, labelOverlap=True),
            scale=alt.Scale(paddingInner=GAP, paddingOuter=GAP / 2),
        ),
        xOffset=alt.XOffset("family:N"),
        color=alt.Color("family:N", title="family", scale=scale),
    )
    if metric["is_log"]:
        base = base.transform_filter("datum.value > 0")
    # intervals over two seeds may be much wider than the rest
    bars = (
        base.transform_filter("datum.seeds > 2 && isValid(datum.low)")
        .mark_rule(strokeWidth=1.5)
        .encode(
            y=value_axis("low:Q", metric["unit"], metric["is_log"]),
            y2="high:Q",
            opacity=if_clicked(clicked, 0.6),
        )
    )
    points = base.mark_point(filled=True, size=55).encode(
        y=y,
        opacity=if_clicked(clicked, 0.9),
        shape=alt.Shape("family:N", title="family", scale=scale),
        tooltip=tooltip(
            *("dataset", "family", "depth", "width", "epochs", "settings"),
            *("result", "seeds", "diverged"),
            titles={"result": metric["name"]},
        ),
    )
    lines = (
        base.transform_joinaggregate(alike="count()", groupby=["dataset", "family", "depth"])
        .transform_joinaggregate(most="max(alike)", groupby=["dataset", "family"])
        .transform_filter("datum.most == 1")
        .mark_line(strokeWidth=1.5)
        .encode(y=y, opacity=if_clicked(clicked, 0.7))
    )
    return (
        alt.layer(lines, bars, points.add_params(clicked))
        .properties(height=HEIGHT)
        .facet(facet=alt.Facet("dataset:N", title=None), columns=2)
        .resolve_scale(x="independent", xOffset="independent")
    )


def if_clicked(clicked: alt.Parameter, opacity: float) -> Any:
    """The opacity of marks: low if the reader has chosen another family in the legend."""
    return alt.condition(clicked, alt.value(opacity), alt.value(0.08))


def lines_chart(x_title: str, y_title: str, is_log: bool) -> alt.LayerChart:
    """A line for each configuration with the band over its seeds, or a line for each seed."""
    title_of_legend, scale = "configuration", alt.Scale(domain=LETTERS)
    base = alt.Chart(ROWS).encode(
        x=alt.X("x:Q", title=x_title),
        color=alt.Color("letter:N", title=title_of_legend, scale=scale),
        detail="seed:N",
    )
    if is_log:
        base = base.transform_filter("datum.y > 0")
    band = (
        base.transform_filter("datum.low > 0" if is_log else "isValid(datum.low)")
        .mark_area(opacity=0.18)
        .encode(y=value_axis("low:Q", y_title, is_log), y2="high:Q")
    )
    line = base.mark_line(strokeWidth=2).encode(
        y=value_axis("y:Q", y_title, is_log),
        strokeDash=alt.StrokeDash("letter:N", title=title_of_legend, scale=scale),
        opacity=alt.condition("datum.seed === 'mean'", alt.value(1), alt.value(0.55)),
        tooltip=tooltip("letter", "name", "seed", "x", "y"),
    )
    points = base.mark_point(filled=True, size=28).encode(
        y=value_axis("y:Q", y_title, is_log),
        shape=alt.Shape("letter:N", title=title_of_legend, scale=scale),
        tooltip=tooltip("letter", "name", "seed", "x", "y"),
    )
    return alt.LayerChart(layer=[band, line, points], height=HEIGHT)


def by_moment(chart: alt.LayerChart) -> alt.FacetChart:
    """The chart in two panels with one vertical axis: before training, and the last measurement."""
    order = ["before training", "last measurement"]
    return chart.facet(facet=alt.Facet("moment:N", title=None, sort=order), columns=2)


def gradient_map() -> alt.FacetChart:
    """Gradient norms by training step and layer, a panel for each configuration, one colour scale.

    A norm of 0 has no place on the logarithmic scale: its cell is grey.
    """
    colour = alt.Color(
        "value:Q",
        title=GRADIENT,
        scale=alt.Scale(type="log", scheme="cividis"),
        legend=alt.Legend(format=".0e", orient="bottom", gradientLength=220),
    )
    cells = (
        alt.Chart(ROWS, height=200, view=alt.ViewBackground(fill="#999999"))
        .transform_filter("datum.value > 0")
        .mark_rect()
        .encode(
            x=alt.X("step_low:Q", title="training step", scale=alt.Scale(nice=False)),
            x2="step_high:Q",
            y=alt.Y("layer_low:Q", title="layer / depth", scale=alt.Scale(domain=[0, 1])),
            y2="layer_high:Q",
            color=colour,
            tooltip=tooltip("panel", "step", "layer", "value"),
        )
    )
    return cells.facet(facet=alt.Facet("panel:N", title=None), columns=2).resolve_scale(
        x="independent"
    )


def tooltip(*fields: str, titles: Mapping[str, str] = MappingProxyType({})) -> list[alt.Tooltip]:
    """What the mouse shows of a mark: numbers and texts as they are, under their names."""
    return [alt.Tooltip(field, type="nominal", title=titles.get(field, field)) for field in fields]


def value_axis(field: str, title: str, is_log: bool) -> alt.Y:
    """The vertical axis of a chart."""
    if is_log:
        scale, axis = (
            alt.Scale(type="log"),
            alt.Axis(labelExpr=TEXT_OF_TICK, tickCount=TICKS, labelOverlap=True),
        )
        return alt.Y(field, title=title, scale=scale, axis=axis)
    return alt.Y(field, title=title, scale=alt.Scale(zero=False))


def chart_theme(text: str, grid: str, black: str) -> dict[str, Any]:
    """The Vega configuration of the page in light or dark.

    Args:
        text: The colour of texts and axes.
        grid: The colour of grid lines.
        black: What stands for black among the colours of lines.
    """
    colours = [black if colour == "#000000" else colour for colour in COLOURS_OF_LINES]
    labels = {"labelColor": text, "titleColor": text, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "range": {"category": colours, "symbol": SHAPES},
        "axis": {**labels, "gridColor": grid, "domainColor": text, "tickColor": text},
        "legend": {**labels, "orient": "bottom", "columns": 3, "symbolStrokeWidth": 2},
        "header": {**labels, "labelFontWeight": "bold"},
        "view": {"stroke": grid},
    }
