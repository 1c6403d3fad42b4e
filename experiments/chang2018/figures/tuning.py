"""How settings were chosen."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.estimates import TEST_ACCURACY, VALIDATION_ACCURACY
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, tabulate

from ..claims.digits import SEARCHED_ON_DIGITS
from ..claims.naming import BLOCK_NAMES, LABELS, with_names
from ..networks import BLOCK, SGD, STEPS
from ..runs import STEP_SIZES, paper
from ..trainings import HELD_OUT, SHORT_RATES
from .accuracy import TRAIN_ACCURACY


def is_chosen(row: pd.Series) -> bool:
    """Whether the settings of this row are those of other runs, made or planned."""
    family = row["net.family"]
    rates = {"hamiltonian": SHORT_RATES["hamiltonian_74"], "resnet_bn": SHORT_RATES["resnet_32"]}
    rate = rates.get(family, SGD["lr"]) if row["dataset"] == "cifar10" else SGD["lr"]
    is_stable = family in STEPS
    has_block = not is_stable or row["net.block_norm"] == BLOCK["block_norm"]
    return row["optim.lr"] == rate and has_block and (not is_stable or row["h"] == STEPS[family])


@paper.table(
    "tuning",
    runs=["tuning", "digits", "few"],
    caption="How settings were chosen: validation accuracy in %, seeds that are in no other table."
    ' "used": yes, if table `digits` or `few` has runs with these settings; planned, if they are'
    " chosen for runs of the whole recipe (claim 4c) of a network that these tables do not have. At"
    f" 90 % of the images: {SEARCHED_ON_DIGITS}.",
)
def tuning_table(results: Results) -> pd.DataFrame:
    rows = results["tuning"]
    shown = pd.concat([results["digits"], results["few"]])
    are_shown = set(zip(shown["dataset"], shown["net.family"], strict=True))

    def use(row: pd.Series) -> str:
        if not is_chosen(row):
            return "no"
        return "yes" if (row["dataset"], row["net.family"]) in are_shown else "planned"

    rows = with_names(rows).assign(
        percent=(100 * (1 - HELD_OUT) * rows["dataset.train_fraction"]).round(2),
        norms=rows["net.block_norm"].fillna("").map(BLOCK_NAMES),
        step=rows["h"].map("{:g}".format).where(rows["net.family"].isin(list(STEPS)), "none"),
        used=rows.apply(use, axis=1),
    )
    heads = {"dataset": "data", "percent": "% of the images", "net": "net", "norms": "in the block"}
    heads |= {"step": "h", "lr": "rate", "steps": "steps", "precision": "precision"}
    heads |= {"used": "used"}
    columns = {"validation accuracy": VALIDATION_ACCURACY, "seeds": count_seeds}
    return tabulate(rows, heads, columns, LABELS)


@paper.table("search", runs=["cifar_search"], is_partial=True)
def search_table(results: Results) -> pd.DataFrame:
    """CIFAR-10, 2,000 steps, one seed that is in no other table: validation accuracy in % on 10,000
    images, by which the settings of the runs at a quarter of the recipe are chosen. Four settings
    are planned for each of five networks; the table has those that were run.
    """
    rows = results["cifar_search"]
    has_step = rows["net.family"].isin(list(STEPS))
    rows = with_names(rows).assign(step=rows["h"].map("{:g}".format).where(has_step, "none"))
    accuracy = VALIDATION_ACCURACY.of(rows)
    by_net = accuracy.groupby(rows["net"])
    best = (accuracy == by_net.transform("max")).map({True: "yes", False: "no"})
    is_complete = by_net.transform("size") == len(STEP_SIZES)
    rows = rows.assign(best=best.where(is_complete, "not known yet"))
    heads = {"net": "net", "step": "h", "lr": "rate", "best": "best"}
    columns = {"validation accuracy": VALIDATION_ACCURACY, "training accuracy": TRAIN_ACCURACY}
    return tabulate(rows, heads, columns)


@paper.table("precisions", runs=["cifar_precisions"])
def precisions_table(results: Results) -> pd.DataFrame:
    """CIFAR-10, 2,000 steps: test accuracy in % in float32 and in the precision of long runs."""
    columns = {"test accuracy": TEST_ACCURACY, "seeds": count_seeds}
    return tabulate(with_names(results["cifar_precisions"]), ["net", "precision"], columns)
