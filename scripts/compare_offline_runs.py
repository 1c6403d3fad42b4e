"""Draw the gradient ratio of runs against their depth, from what wandb has logged offline.

python scripts/compare_offline_runs.py [--runs runs] [--out gradient_ratio.png]

Reads the files of wandb alone: no account, no server, no file of the run folders. Runs that differ
in their seed only are one point: the mean of log10 of the ratio, and its standard deviation. Runs
that force=true or stale=redo has replaced are left out.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.runs.folder import is_set_aside
from stablenets.runs.loggers.wandb_offline import last_session

RATIO = "state_gradient/ratio"


def curve_label(config: dict[str, Any]) -> str:
    """Return what one curve has in common: data set and family."""
    return f"{config['dataset']['name']}/{config['net']['family']}"


def ratios_by_group(runs: Path) -> dict[tuple[str, int, str], list[float]]:
    """Return the ratios of all seeds by curve, depth and group, which is the run without seed."""
    ratios = defaultdict(list)
    for folder in sorted(path for path in runs.iterdir() if path.is_dir()):
        session = None if is_set_aside(folder) else last_session(folder)
        if session is not None and RATIO in session.summary:
            config = session.config
            group = (curve_label(config), config["depth"], session.run["run_group"])
            ratios[group].append(float(session.summary[RATIO]))
    return dict(ratios)


def mean_and_spread(ratios: list[float]) -> tuple[float, float]:
    """Return mean and standard deviation of log10; the latter is 0 for one seed."""
    with np.errstate(divide="ignore"):
        logs = np.log10(ratios)
    return float(logs.mean()), float(logs.std(ddof=1)) if len(logs) > 1 else 0.0


def draw(ratios: dict[tuple[str, int, str], list[float]], out: Path) -> None:
    """Write the figure: a line for each data set and family, with error bars."""
    figure, (axes,) = new_figure(1)
    curves = sorted({curve for curve, _, _ in ratios})
    for curve, colour in zip(curves, COLOURS, strict=False):
        points = sorted(
            (depth, *mean_and_spread(values))
            for (name, depth, _), values in ratios.items()
            if name == curve
        )
        depths, means, spreads = zip(*points, strict=True)
        axes.errorbar(depths, means, spreads, color=colour, marker="o", capsize=3, label=curve)
    axes.set_xscale("log")
    all_depths = sorted({depth for _, depth, _ in ratios})
    axes.set_xticks(all_depths, [str(depth) for depth in all_depths])
    axes.minorticks_off()
    axes.set(
        xlabel="depth $L$",
        ylabel=r"$\log_{10}$ of gradient norm, first / last state",
        title="mean and standard deviation over seeds",
    )
    axes.legend()
    figure.savefig(out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("gradient_ratio.png"))
    given = parser.parse_args()
    if not (ratios := ratios_by_group(given.runs)):
        print(f"{given.runs}: no run with an offline log; use wandb.mode=offline", file=sys.stderr)
        return 2
    print("dataset/family depth seeds mean_log10 std_log10")
    for (curve, depth, _), values in sorted(ratios.items()):
        mean, spread = mean_and_spread(values)
        print(f"{curve} {depth} {len(values)} {mean:.4f} {spread:.4f}")
    draw(ratios, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
