"""Points in the plane: the toy problems of Haber & Ruthotto 2017 and Galimberti et al. 2023, made
on the spot.

Each set makes its own training and test points, float32 (N, 2); random ones from the split seed, in
float64 first.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stablenets.data.dataset import Examples, Facts, Request
from stablenets.data.randomness import digest, stream
from stablenets.schema import option

TWO_CLASSES = Facts("planar", (2,), 2, "classify")
TURN = 2 * math.pi


@dataclass(frozen=True)
class Ellipses:
    """Two touching elliptic bands. Haber & Ruthotto 2017 sheet 3.1, generator as in Meganet's
    setupEllipses.

    Class 0 has r ~ U(0, 1), class 1 r ~ U(1, 2), angle ~ U(0, 2 pi), point (r cos, 0.4 r sin):
    uniform in r, not in area.
    """

    facts: ClassVar[Facts] = TWO_CLASSES
    train_points: int = option(1000, "training points of each class", low=2)
    test_points: int = option(200, "test points of each class", low=1)

    def read(self, request: Request) -> Examples:
        parts = [
            self.draw(count, stream(f"ellipses {part}", request.split_seed))
            for part, count in (("train", self.train_points), ("test", self.test_points))
        ]
        return examples(*parts[0], *parts[1], "drawn as Meganet's setupEllipses")

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        radius, angle = torch.rand(
            2, 2, count, generator=generator, dtype=torch.float64
        )  # (class, point) each
        radius[1] += 1
        points = torch.stack(
            (radius * torch.cos(TURN * angle), 0.4 * radius * torch.sin(TURN * angle)), -1
        )
        return points.flatten(0, 1), torch.arange(2).repeat_interleave(count)


@dataclass(frozen=True)
class SwissRoll:
    """Two interleaved spirals, without noise. Haber & Ruthotto 2017 sheet 3.2, generator as in
    Meganet's setupSwissRoll.

    Angle 0 ... 4 pi, radius 0 ... 1 (class 0) and 0.2 ... 1.2 (class 1). Of the stacked points the
    odd rows, counted from one, train and the even rows test: 513 and 513 by default, 257/256 and
    256/257 by class.
    """

    facts: ClassVar[Facts] = TWO_CLASSES
    points: int = option(513, "points on each spiral, training and test together", low=4)

    def read(self, request: Request) -> Examples:
        angle, radius = (
            torch.linspace(0, end, self.points, dtype=torch.float64) for end in (2 * TURN, 1.0)
        )
        spirals = torch.stack([radial(radius, angle), radial(radius + 0.2, angle)])
        return alternating(spirals, torch.tensor([0, 1]), "made as Meganet's setupSwissRoll")


@dataclass(frozen=True)
class Peaks:
    """Five level sets of MATLAB's `peaks`. Haber & Ruthotto 2017 sheet 3.3, generator as in
    Meganet's setupPeaks.

    The surface on a 256 x 256 grid of [-3, 3]^2, its range cut into five bins of equal width; as
    many grid nodes of every class, drawn with replacement, for the bins hold from 2.7 to 72.6 % of
    the grid. 5,000 to train and 200 to test, two independent draws, as in the first Meganet script.
    """

    facts: ClassVar[Facts] = Facts("planar", (2,), 5, "classify")
    train_points: int = option(1000, "training points of each class", low=2)
    test_points: int = option(40, "test points of each class", low=1)

    def read(self, request: Request) -> Examples:
        nodes, labels = self.grid()
        parts = []
        for part, count in (("train", self.train_points), ("test", self.test_points)):
            generator = stream(f"peaks {part}", request.split_seed)
            levels = [nodes[labels == level] for level in range(5)]
            parts += [
                torch.cat(
                    [own[torch.randint(len(own), (count,), generator=generator)] for own in levels]
                ),
                torch.arange(5).repeat_interleave(count),
            ]
        return examples(*parts, "drawn as Meganet's setupPeaks")

    @staticmethod
    def grid() -> tuple[Tensor, Tensor]:
        """Nodes (65536, 2) float64 and the level (65536,) long of each."""
        axis = torch.linspace(-3, 3, 256, dtype=torch.float64)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        height = (
            3 * (1 - x) ** 2 * torch.exp(-(x**2) - (y + 1) ** 2)
            - 10 * (x / 5 - x**3 - y**5) * torch.exp(-(x**2) - y**2)
            - torch.exp(-((x + 1) ** 2) - y**2) / 3
        )
        inner_edges = torch.linspace(
            float(height.min()), float(height.max()), 6, dtype=torch.float64
        )[1:-1]
        return torch.stack((x, y), -1).flatten(0, 1), torch.bucketize(height, inner_edges).flatten()


@dataclass(frozen=True)
class DoubleMoons:
    """Two pairs of half circles, the second pair 2 to the right. Galimberti et al. 2023 sheet 3b.

    The sheet gives four half circles, their shift and the jitter of +-0.15 in each coordinate; the
    place of a lower moon, (1 - cos, 1/2 - sin) below its upper one (cos, sin), is that of the
    authors' data/datasets.py. They shuffle before the even rows train and the odd rows test; we
    leave the rows in place, so that every half circle is halved.
    """

    facts: ClassVar[Facts] = TWO_CLASSES
    points: int = option(
        2000, "points on each of the four half circles, training and test together", low=4
    )

    def read(self, request: Request) -> Examples:
        angle = torch.arange(self.points, dtype=torch.float64) / self.points * math.pi
        upper = radial(torch.ones_like(angle), angle)
        lower = torch.tensor([1.0, 0.5]) - upper
        right = torch.tensor([2.0, 0.0])
        moons = torch.stack([upper, lower, upper + right, lower + right])
        moons += jitter(moons, 0.15, stream("double_moons", request.split_seed))
        return alternating(
            moons, torch.tensor([0, 1, 0, 1]), "drawn as HamiltonianNet's double_moons"
        )


@dataclass(frozen=True)
class DoubleCircles:
    """Four rings of radius 1, 2, 3, 4, labels 0, 1, 0, 1, jitter +-0.3 in each coordinate.
    Galimberti et al. 2023 sheet 3b.

    The authors' angle runs twice around; even rows train and odd rows test.
    """

    facts: ClassVar[Facts] = TWO_CLASSES
    points: int = option(
        2000, "points on each of the four rings, training and test together", low=4
    )

    def read(self, request: Request) -> Examples:
        angle = torch.arange(self.points, dtype=torch.float64) / self.points * 2 * TURN
        rings = torch.stack(
            [radial(torch.full_like(angle, radius), angle) for radius in (1, 2, 3, 4)]
        )
        rings += jitter(rings, 0.3, stream("double_circles", request.split_seed))
        return alternating(
            rings, torch.tensor([0, 1, 0, 1]), "drawn as HamiltonianNet's double_circles"
        )


def radial(radius: Tensor, angle: Tensor) -> Tensor:
    return torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), -1)


def jitter(like: Tensor, width: float, generator: torch.Generator) -> Tensor:
    """Uniform in [-width, width)."""
    return width * (2 * torch.rand(like.shape, generator=generator, dtype=like.dtype) - 1)


def alternating(curves: Tensor, labels: Tensor, source: str) -> Examples:
    """Curves (k, n, 2) stacked to rows, then every second row for training, the others for
    testing.
    """
    points, labels = curves.flatten(0, 1), labels.repeat_interleave(curves.shape[1])
    return examples(points[::2], labels[::2], points[1::2], labels[1::2], source)


def examples(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, source: str
) -> Examples:
    train, test = train.float().contiguous(), test.float().contiguous()
    arrays = {
        "train_points": train,
        "train_labels": train_labels,
        "test_points": test,
        "test_labels": test_labels,
    }
    return Examples(
        train,
        train_labels,
        test,
        test_labels,
        source,
        {key: digest(array.numpy()) for key, array in arrays.items()},
    )
