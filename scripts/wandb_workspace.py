"""Save a view of a wandb project that compares runs by depth, family and seed.

python scripts/wandb_workspace.py ENTITY [--project stablenets] [--chart]

Prints the address of the view. It needs `pip install wandb-workspaces` and `wandb login`. With
--chart it first stores DEPTH_CHART in your account, and the view shows gradients by layer with it.
"""

import argparse
import sys
from typing import Any

SCORES = ("train_loss", "validation_accuracy", "test_accuracy", "lr")
DEPTH_CHART_NAME = "stablenets-gradients-by-layer"
# Vega-Lite: the norm at each layer, at the last measured step of each run
DEPTH_CHART = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"name": "wandb"},
    "transform": [
        {
            "joinaggregate": [{"op": "max", "field": "${field:step}", "as": "last"}],
            "groupby": ["name"],
        },
        {"filter": "datum['${field:step}'] === datum.last"},
    ],
    "mark": {"type": "line", "point": True, "tooltip": True},
    "encoding": {
        "x": {"field": "${field:layer}", "type": "quantitative", "title": "layer"},
        "y": {
            "field": "${field:norm}",
            "type": "quantitative",
            "scale": {"type": "log"},
            "title": "gradient norm",
        },
        "color": {"field": "name", "type": "nominal"},
    },
}


def build_workspace(entity: str, project: str, chart: str = "") -> Any:
    """Return the view; nothing is sent before its `save`.

    Args:
        entity: A user or team.
        project: The project.
        chart: The name of DEPTH_CHART in an account, "ENTITY/NAME"; "": without it.
    """
    import wandb_workspaces.reports.v2 as panels
    import wandb_workspaces.workspaces as workspaces

    def over_steps(title: str, *names: str, log_y: bool = True) -> Any:
        """Lines over training steps: the mean of each group, and its standard deviation."""
        return panels.LinePlot(
            title=title,
            x="step",
            y=list(names),
            log_y=log_y,
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
        )

    def over_depth(title: str, name: str, log_y: bool = True) -> Any:
        """A point for each run, with its depth on the x axis."""
        return panels.ScatterPlot(
            title=title,
            x=panels.Config("depth"),
            y=panels.SummaryMetric(name),
            log_x=True,
            log_y=log_y,
        )

    ratio, spread = "state_gradient/ratio", "singular_value/spread"
    by_layer = [panels.MediaBrowser(media_keys=["depth/gradients_image"])]
    if chart:
        shown = panels.CustomChart(
            query={"summaryTable": {"tableKey": "depth/gradients"}},
            chart_name=chart,
            chart_fields={"step": "step", "layer": "layer", "norm": "norm"},
        )
        by_layer.insert(0, shown)
    ends = ("first", "last", "smallest", "largest")
    values = ("smallest", "median", "largest")
    sections = {
        "Against depth": [
            over_depth("gradient norm, first / last state", ratio),
            over_depth("singular values, largest / smallest", spread),
            over_depth("test accuracy", "test_accuracy", log_y=False),
        ],
        "Gradients over steps": [
            over_steps("gradient norm, first / last state", ratio),
            over_steps("gradient norms", *(f"state_gradient/{end}" for end in ends)),
            over_steps("singular values", *(f"singular_value/{value}" for value in values)),
        ],
        "By layer": by_layer,
        "Scores over steps": [over_steps(name, name, log_y=False) for name in SCORES],
    }
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="Depth, family and seed",
        sections=[
            workspaces.Section(name=name, panels=shown, is_open=True)
            for name, shown in sections.items()
        ],
        runset_settings=workspaces.RunsetSettings(
            groupby=[workspaces.Metric("Group")],
            order=[workspaces.Ordering(workspaces.Config("depth"))],
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("entity")
    parser.add_argument("--project", default="stablenets")
    parser.add_argument("--chart", action="store_true")
    given = parser.parse_args()
    chart = ""
    if given.chart:
        import wandb

        chart = wandb.Api().create_custom_chart(
            entity=given.entity,
            name=DEPTH_CHART_NAME,
            display_name="Gradient norms by layer",
            spec_type="vega2",
            access="private",
            spec=DEPTH_CHART,
        )
    print(build_workspace(given.entity, given.project, chart).save().url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
