"""Points in the plane: the toy problems of Haber & Ruthotto 2017 and Galimberti et al. 2023.

Points are float32 (N, 2) and are not scaled. Random points are drawn from the split seed, in
float64. docs/papers/haber2017.md#data-sets and docs/papers/galimberti2023.md#data-sets define them.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stablenets.data.dataset import DatasetFacts, Examples, ReadSettings, float_examples
from stablenets.data.randomness import make_generator
from stablenets.data.resident import ResidentData
from stablenets.schema import option

TWO_CLASSES = DatasetFacts("planar", (2,), 2, "classify")
TURN = 2 * math.pi
MAX_POINTS = 1_000_000  # of one class or curve


@dataclass(frozen=True)
class PlanarData(ResidentData):
    """Base class of data sets of points in the plane, which are not scaled."""

    def fit_scaling(self, train: Tensor) -> None:
        return None


@dataclass(frozen=True)
class Ellipses(PlanarData):
    """Two touching elliptic bands, as in setupEllipses of Meganet (Haber & Ruthotto 2017).

    Class 0 has r ~ U(0, 1), class 1 has r ~ U(1, 2). The angle is U(0, 2 pi), the point is
    (r cos, 0.4 r sin): uniform in r, not in area.
    """

    facts: ClassVar[DatasetFacts] = TWO_CLASSES
    reads_files: ClassVar[bool] = False
    train_points: int = option(1000, "training points of each class", low=2, high=MAX_POINTS)
    test_points: int = option(200, "test points of each class", low=1, high=MAX_POINTS)

    def read(self, settings: ReadSettings) -> Examples:
        parts = [
            self.draw(count, make_generator(f"ellipses {part}", settings.split_seed))
            for part, count in (("train", self.train_points), ("test", self.test_points))
        ]
        return float_examples(*parts[0], *parts[1], "drawn as Meganet's setupEllipses", "points")

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` points of each class, (2 * count, 2) float64, and their labels."""
        # Radius and angle by class and point, (2, count) each.
        radius, angle = torch.rand(2, 2, count, generator=generator, dtype=torch.float64)
        radius[1] += 1
        points = torch.stack(
            (radius * torch.cos(TURN * angle), 0.4 * radius * torch.sin(TURN * angle)), -1
        )
        return points.flatten(0, 1), torch.arange(2).repeat_interleave(count)


@dataclass(frozen=True)
class SwissRoll(PlanarData):
    """Two interleaved spirals without noise, as in setupSwissRoll of Meganet.

    Angle 0 ... 4 pi, radius 0 ... 1 (class 0) and 0.2 ... 1.2 (class 1). The points of both classes
    form the rows of one matrix. Its first, third, ... rows are for training, the others for
    testing: 513 and 513 by default.
    """

    facts: ClassVar[DatasetFacts] = TWO_CLASSES
    reads_files: ClassVar[bool] = False
    points: int = option(513, "points of each spiral; half are for testing", low=4, high=MAX_POINTS)

    def read(self, settings: ReadSettings) -> Examples:
        angle, radius = (
            torch.linspace(0, end, self.points, dtype=torch.float64) for end in (2 * TURN, 1.0)
        )
        spirals = torch.stack([from_polar(radius, angle), from_polar(radius + 0.2, angle)])
        return split_alternating(spirals, torch.tensor([0, 1]), "made as Meganet's setupSwissRoll")


@dataclass(frozen=True)
class Peaks(PlanarData):
    """Five level sets of MATLAB's `peaks`, as in setupPeaks of Meganet (Haber & Ruthotto 2017).

    The surface is computed on a 256 x 256 grid of [-3, 3]^2, and its range is cut into five bins of
    equal width. The bins hold between 2.7 and 72.6 % of the grid nodes, so the same number of nodes
    is drawn from each bin, with replacement. Training and test points are two independent draws.
    """

    facts: ClassVar[DatasetFacts] = DatasetFacts("planar", (2,), 5, "classify")
    reads_files: ClassVar[bool] = False
    train_points: int = option(1000, "training points of each class", low=2, high=MAX_POINTS)
    test_points: int = option(40, "test points of each class", low=1, high=MAX_POINTS)

    def read(self, settings: ReadSettings) -> Examples:
        nodes, labels = self.make_grid()
        levels = [nodes[labels == level] for level in range(5)]
        parts = []
        for part, count in (("train", self.train_points), ("test", self.test_points)):
            generator = make_generator(f"peaks {part}", settings.split_seed)
            chosen = [torch.randint(len(own), (count,), generator=generator) for own in levels]
            points = [own[indices] for own, indices in zip(levels, chosen, strict=True)]
            parts.append((torch.cat(points), torch.arange(5).repeat_interleave(count)))
        return float_examples(*parts[0], *parts[1], "drawn as Meganet's setupPeaks", "points")

    @staticmethod
    def make_grid() -> tuple[Tensor, Tensor]:
        """Grid nodes (65536, 2) float64 and the level 0 ... 4 of each, long (65536,)."""
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
class DoubleMoons(PlanarData):
    """Two pairs of half circles, the second pair 2 to the right (Galimberti et al. 2023).

    Labels 0, 1, 0, 1; jitter +-0.15 in each coordinate. An upper half circle is (cos, sin), the
    lower one (1 - cos, 1/2 - sin), as in the authors' data/datasets.py. The authors shuffle the
    points before every second one is taken for testing. They are not shuffled here, so that every
    half circle gives half of its points to each set.
    """

    facts: ClassVar[DatasetFacts] = TWO_CLASSES
    reads_files: ClassVar[bool] = False
    points: int = option(
        2000, "points of each half circle; half are for testing", low=4, high=MAX_POINTS
    )

    def read(self, settings: ReadSettings) -> Examples:
        angle = torch.arange(self.points, dtype=torch.float64) / self.points * math.pi
        upper = from_polar(torch.ones_like(angle), angle)
        lower = torch.tensor([1.0, 0.5]) - upper
        right = torch.tensor([2.0, 0.0])
        moons = torch.stack([upper, lower, upper + right, lower + right])
        moons += draw_jitter(moons, 0.15, make_generator("double_moons", settings.split_seed))
        return split_alternating(
            moons, torch.tensor([0, 1, 0, 1]), "drawn as HamiltonianNet's double_moons"
        )


@dataclass(frozen=True)
class DoubleCircles(PlanarData):
    """Four rings of radius 1, 2, 3, 4 (Galimberti et al. 2023).

    Labels 0, 1, 0, 1; jitter +-0.3 in each coordinate. The angle runs from 0 to 4 pi, as in the
    authors' code. Every second point is for testing.
    """

    facts: ClassVar[DatasetFacts] = TWO_CLASSES
    reads_files: ClassVar[bool] = False
    points: int = option(2000, "points of each ring; half are for testing", low=4, high=MAX_POINTS)

    def read(self, settings: ReadSettings) -> Examples:
        angle = torch.arange(self.points, dtype=torch.float64) / self.points * 2 * TURN
        rings = torch.stack(
            [from_polar(torch.full_like(angle, radius), angle) for radius in (1, 2, 3, 4)]
        )
        rings += draw_jitter(rings, 0.3, make_generator("double_circles", settings.split_seed))
        return split_alternating(
            rings, torch.tensor([0, 1, 0, 1]), "drawn as HamiltonianNet's double_circles"
        )


def from_polar(radius: Tensor, angle: Tensor) -> Tensor:
    """Points (..., 2) from polar coordinates."""
    return torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), -1)


def draw_jitter(like: Tensor, width: float, generator: torch.Generator) -> Tensor:
    """Uniform in [-width, width), with the shape of `like`."""
    return width * (2 * torch.rand(like.shape, generator=generator, dtype=like.dtype) - 1)


def split_alternating(curves: Tensor, labels: Tensor, source: str) -> Examples:
    """Every second point of the curves (k, n, 2) for training, the others for testing."""
    points, labels = curves.flatten(0, 1), labels.repeat_interleave(curves.shape[1])
    return float_examples(points[::2], labels[::2], points[1::2], labels[1::2], source, "points")
