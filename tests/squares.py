"""A study for the tests of ledger and pages; it writes a line each time it measures."""

from dataclasses import dataclass

import numpy as np

from stablenets.claims.work import Study
from stablenets.schema import option


@dataclass(frozen=True)
class Square(Study):
    key = "tests/square"

    value: float = option(1.0)
    seed: int = option(0)

    def measure(self, context):
        if self.value < 0:
            raise ArithmeticError("no root")
        with (context.runs / "measured").open("a") as file:
            file.write(f"{self.value}\n")
        return {"square": self.value**2}, {
            "curve": np.linspace(0, self.value, 5),
            "picture": np.arange(6, dtype=np.uint8).reshape(2, 3),
        }
