"""Numbers of parameters."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results

from ..claims.counts import counted, in_millions
from ..claims.naming import BLOCK_NAMES, LAYOUT_NAMES
from ..networks import BLOCK, preset_options
from ..published import TABLE
from ..runs import paper


@paper.table("counts", runs=["counts"])
def counts_table(results: Results) -> pd.DataFrame:
    """Parameters of the table's networks, in millions, to the digits that the paper prints: as
    drawn in the paper (one bias in a block; Hamiltonian-1202 with batch norms) and as we train them
    (batch norms), with 10 classes, and all layouts that we tried whose counts agree with the
    paper's for 10 and 100 classes. A unit gets its width and halves the image before its first
    block, or after it, or in it by a stride. A block has one bias, two biases, or batch norms.
    """
    found = []
    for net, own in counted(results).groupby("net", sort=False):
        values = preset_options(net)
        norm = values.get("block_norm", "")
        own_layout = select_rows(own, transition=values["transition"])
        drawn, trained = (
            select_rows(own_layout, block_norm=each).iloc[0]
            for each in (norm, BLOCK["block_norm"] if norm else "")
        )
        layouts = [
            f"{LAYOUT_NAMES[row.transition]}, {BLOCK_NAMES[row.block_norm]}"
            for row in own[own["fits"]].itertuples()
        ]
        cifar10, cifar100 = TABLE[net].parameters
        found.append(
            {
                "net": TABLE[net].name,
                "paper, 10 classes": cifar10,
                "paper, 100 classes": cifar100 or "not printed",
                "as drawn": in_millions(drawn["cifar10"], like=cifar10),
                "as trained": in_millions(trained["cifar10"], like=cifar10),
                "as trained, exactly": f"{trained['cifar10']:,.0f}",
                "layouts tried": len(own),
                "layouts that fit": "; ".join(layouts) or "none",
            }
        )
    return pd.DataFrame(found)
