"""The toy problems have the points, labels and sizes that docs/papers/ gives for them."""

import math
from pathlib import Path

import pytest
import torch

from stablenets.data.dataset import Examples, ReadSettings
from stablenets.data.planar import DoubleCircles, DoubleMoons, Ellipses, Peaks, SwissRoll

ANY = Path("nowhere")


def read(options, seed: int = 0) -> Examples:
    return options.read(ReadSettings(ANY, download=False, split_seed=seed, permutation_seed=0))


def counts(labels: torch.Tensor) -> list[int]:
    return torch.bincount(labels).tolist()


def test_ellipses_touch_at_radius_one():
    found = read(Ellipses())
    assert (counts(found.train_labels), counts(found.test_labels)) == ([1000, 1000], [200, 200])
    x, y = found.train.unbind(1)
    radius = torch.hypot(x, y / 0.4)
    inner, outer = radius[found.train_labels == 0], radius[found.train_labels == 1]
    assert 0 <= inner.min() < inner.max() <= 1 <= outer.min() + 1e-6
    assert outer.max() <= 2
    assert abs(inner.mean() - 0.5) < 0.04  # uniform in the radius; in the area it would be 2/3


def test_swiss_roll_is_the_curve_of_meganet():
    found = read(SwissRoll())
    assert (counts(found.train_labels), counts(found.test_labels)) == ([257, 256], [256, 257])
    assert torch.allclose(found.train[0], torch.zeros(2))
    # The first spiral ends after two turns.
    assert torch.allclose(found.train[256], torch.tensor([1.0, 0.0]), atol=1e-6)
    angle = 4 * math.pi / 512
    assert torch.allclose(found.test[0], torch.tensor([math.cos(angle), math.sin(angle)]) / 512)
    # Row 514 of all points is the first of the second spiral.
    assert torch.allclose(torch.linalg.vector_norm(found.test[256]), torch.tensor(0.2))


def test_peaks_has_the_published_number_of_grid_nodes_at_each_level():
    _, levels = Peaks.make_grid()
    assert counts(levels) == [1829, 7968, 47557, 6384, 1798]
    found = read(Peaks())
    assert (counts(found.train_labels), counts(found.test_labels)) == ([1000] * 5, [40] * 5)
    assert found.train.abs().max() <= 3


def test_moons_are_four_half_circles():
    found = read(DoubleMoons())
    assert (counts(found.train_labels), counts(found.test_labels)) == ([2000, 2000], [2000, 2000])
    # The first half circle, upper left. The jitter is at most 0.15 in each coordinate.
    upper = found.train[:1000]
    assert (torch.linalg.vector_norm(upper, dim=1) - 1).abs().max() <= 0.15 * math.sqrt(2)
    assert upper[:, 1].min() >= -0.15
    assert torch.allclose(
        found.train[2000:3000].mean(0) - upper.mean(0), torch.tensor([2.0, 0.0]), atol=0.02
    )


def test_circles_have_radii_one_to_four_and_alternate():
    found = read(DoubleCircles())
    radius = torch.linalg.vector_norm(found.train, dim=1)
    for ring, own in enumerate(radius.split(1000)):
        assert (own - (ring + 1)).abs().max() <= 0.3 * math.sqrt(2)
        assert set(found.train_labels[1000 * ring : 1000 * (ring + 1)].tolist()) == {ring % 2}


@pytest.mark.parametrize("options", [Ellipses(), Peaks(), DoubleMoons(), DoubleCircles()])
def test_split_seed_decides_every_random_point(options):
    assert read(options, 1).digests == read(options, 1).digests != read(options, 2).digests


def test_swiss_roll_does_not_depend_on_the_seed():
    assert read(SwissRoll(), 1).digests == read(SwissRoll(), 2).digests
