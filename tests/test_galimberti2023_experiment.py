"""Galimberti et al. 2023: the digits of the counterexample, what the theory says of its nets, and a plan whose parts fit together."""
import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import made_up, same_by_command

from experiments.galimberti2023 import PAPER, depth, images, planar, theory, through
from experiments.galimberti2023.alternating import Alternating, alternating
from experiments.galimberti2023.general import FRAMED, General
from experiments.galimberti2023.networks import EULER, NETWORKS, PLAIN, RANDOM_X, RING, RING_RANDOM_X, SINGULAR_X, VOLUME, structure
from experiments.galimberti2023.studies import Counterexample, Spread, Symplectic
from experiments.galimberti2023.trained import Memory, Reach, Way
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, PROFILES, REPRODUCED
from stablenets.claims.gif import Gif
from stablenets.claims.work import Place, Study, Training, unique
from stablenets.data import DATASETS, Common, load
from stablenets.nets import Network


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, "make")


def measured(study: Study) -> dict[str, float]:
    return study.measure(None)[0]


# The sheet computed these from the authors' two settings by exact Jacobians; the paper has them as pictures.
@pytest.mark.parametrize(("study", "quarters"), [
    (Counterexample("semi-implicit", 20), (1.911, 3.491, 4.696, 6.598)),
    (Counterexample("semi-implicit", 20, 0.1), (None, None, None, 6.389)),
    (Counterexample("forward Euler", 20), (None, None, None, 7.69)),
    pytest.param(Counterexample("semi-implicit", 200), (15.9, 29.4, 43.1, 61.9), marks=pytest.mark.slow),
    pytest.param(Counterexample("forward Euler", 200), (None, None, None, 108.7), marks=pytest.mark.slow)])
def test_counterexample_has_the_digits_of_the_sheet(study, quarters):
    found = measured(study)
    for quarter, value in enumerate(quarters, 1):
        if value is not None:
            assert found[f"quarter_{quarter}"] == pytest.approx(value, rel=0.003)  # the sheet has three digits


def test_counterexample_by_forward_euler_inflates():
    found = measured(Counterexample("forward Euler", 20))
    assert (found["determinant"], found["length"]) == (pytest.approx(1.355, abs=5e-4), pytest.approx(1.387, abs=5e-4))
    assert measured(Counterexample("semi-implicit", 20))["determinant"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("net", ["H2", RANDOM_X, SINGULAR_X, RING, RING_RANDOM_X, "MS3"])
def test_symplectic_nets_are_and_the_wrong_transpose_is_not(net):
    found = measured(Symplectic(net, 16, 0.1))
    assert max(found["layer"], found["product"]) < theory.ROUNDING
    assert (found["wrong_transpose"] > 1e-3) == (net in (RANDOM_X, SINGULAR_X, RING_RANDOM_X))


def test_a_singular_x_forgets_a_direction():
    from experiments.galimberti2023.networks import drawn
    flow = drawn(SINGULAR_X, 4, 1, 0.1, 0)
    assert float(torch.linalg.svdvals(flow.X[0])[-1]) < 1e-12
    assert torch.equal(structure(flow), -structure(flow).T)


@pytest.mark.parametrize("net", NETWORKS)
def test_no_net_falls_below_the_bound_and_the_determinant_tells_them_apart(net):
    found = measured(Spread(net, 16, 0.1))
    assert found["lowest"] >= 1
    assert found["smallest"] <= 1 <= found["norm"]
    assert (abs(found["log10_determinant"]) < 1e-12) == (net in VOLUME) != (net in EULER)
    if net in theory.CANONICAL:
        assert found["smallest"] * found["norm"] == pytest.approx(1, abs=1e-9)


def test_the_plain_net_vanishes():
    assert measured(Spread(PLAIN, 64, 0.1))["norm"] < 1e-12


@pytest.mark.parametrize("net", FRAMED)
def test_every_net_is_the_general_form(net):
    assert max(measured(General(net, 3)).values()) < 1e-9


def test_the_head_is_new_in_each_iteration_and_the_layers_move():
    torch.manual_seed(0)
    net = Network(NETWORKS["H1"].dynamics, shape=(2,), outputs=2, widths=[4], depth=4, h=0.1, operator="dense", opening_kind="spread",
                  head_kind="linear")
    data = load(DATASETS["double_moons"](points=100), Common(validation=0.0), root=Path(), split_seed=0, permutation_seed=0, device="cpu",
                download=False)
    before = net.units[0].K.detach().clone()
    assert list(alternating(net, data.train, 2, 0, 0.0)) == [0, 1, 2, 3]
    assert not torch.equal(net.units[0].K, before)
    assert net.head[-1].weight.abs().max() <= 0.05 * 10 + 1e-3  # ten steps of Adam from zero


@pytest.mark.parametrize("net", ["H1", "H2"])
def test_the_two_sides_of_a_bench_row_are_the_same_iteration(net, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "scripts")
    bench = importlib.import_module("bench_rows.alternating")
    torch.manual_seed(0)
    ours, x, labels = bench.network(NETWORKS[net].dynamics), torch.randn(125, 2), torch.randint(2, (125,))
    layers = bench.modules(ours.units[0])
    adam, theirs = torch.optim.Adam(ours.units.parameters(), lr=bench.RATE), bench.by_modules(layers, x, labels)
    for _ in range(3):
        bench.iterate(ours, adam, x, labels)
        theirs()
    first = next(ours.units.parameters())
    assert torch.allclose(first, torch.stack([next(layer.parameters()) for layer in layers]), atol=1e-4)


@pytest.mark.parametrize("net", ["H1", "H2"])
def test_sensitivities_stay_between_their_bounds_through_training(net, place):
    metrics, arrays = Alternating(net, layers=6, epochs=1).measure(place)
    assert metrics["lowest"] >= 1
    assert metrics["end_highest"] <= metrics["bound"]
    assert arrays["norms"].shape == (len(arrays["iterations"]), len(arrays["layers"]), 3)
    assert (np.diff(arrays["norms"], axis=2) >= 0).all()


@pytest.mark.parametrize(("flow", "flat"), [("store", False), ("checkpoint", False), ("reverse", True)])
def test_memory_is_flat_in_depth_by_inversion_alone(flow, flat):
    few, many = (measured(Memory(flow, layers))["bytes"] for layers in (8, 256))
    assert (many < depth.FLAT * few) == flat


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    drawings = PAPER.tables | PAPER.figures | PAPER.animations
    for needs in [claim.needs for claim in PAPER.claims] + [drawing.needs for drawing in drawings.values()]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("full", 1)
    same_by_command(plan[group][-1] for group in ("table", "images", "ring", "deep"))


def test_trained_nets_are_looked_at(place):
    plan = PAPER.plan("smoke", 1)
    way, reach = plan["ways"][0], plan["reach"][0]
    for study in (way, reach):
        assert study.of.make(place).status == "done"
    _, arrays = Way(way.of).measure(place)
    assert set(np.unique(arrays["classes"])) <= {0, 1}
    assert len(arrays["states"]) == len(arrays["layers"])
    metrics, arrays = Reach(reach.of).measure(place)
    assert (metrics["half_hops"], metrics["layer_hops"], metrics["outside"], metrics["entries"]) == (2, 4, 0, 48)
    assert (arrays["layer"] > 0).all()


results = partial(made_up, PAPER)


def name(work: Training) -> str:
    options = {"interconnection": getattr(work.resolved.dynamics, "interconnection", "canonical")}
    return next(key for key, net in NETWORKS.items() if net.family == work.resolved.net.family
                and ("ones" in dict(net.options).values()) == (options["interconnection"] == "ones"))


def accuracy(of):
    def entry(work: Training):
        value = of(name(work), work.resolved.config.depth) / 100 + 1e-3 * (work.seed % 2)
        return {"test_accuracy": value, "validation_accuracy": value, "test_accuracy_at_best_validation": value, "parameters": 10.0}
    return entry


@pytest.mark.parametrize(("of", "verdict"), [
    (lambda net, layers: {"MS1": 60, "MS2": 60}.get(net, 90) if layers == 4 else 99.8, REPRODUCED),
    (lambda net, layers: 99.8, PARTLY),
    (lambda net, layers: 50.0 if layers > 4 else {"H1": 70.0}.get(net, 80.0), NOT_REPRODUCED)])
def test_table_1_is_judged_cell_by_cell(of, verdict):
    finding = planar.table_1(results({"table": accuracy(of)}))
    assert finding.verdict == verdict
    assert finding.low <= finding.high


def test_the_way_through_the_layers_moves(tmp_path):
    def entry(work: Way):
        points = len(range(0, 4000, planar.SHOWN))
        states = np.random.default_rng(0).normal(size=(3, points, 2)) if work.dataset == "swiss_roll" else np.zeros((1, 1, 2))
        return {}, {"layers": np.array([0, 32, 64]), "states": states}
    found = results({"table": accuracy(lambda net, layers: 90.0), "ways": entry}, seeds=1)
    planar.moving(found).save(tmp_path / "moving.gif", writer=Gif("a comment"))
    assert (tmp_path / "moving.gif").stat().st_size < 1.5e6
    assert len(planar.propagation(found).axes) == 6 * 5


def test_every_name_of_a_row_is_the_papers():
    rows = planar.named(results({"table": accuracy(lambda net, layers: 90.0)}), "table")
    assert list(rows["net"]) == [name(work) for work in PAPER.plan("quick", 4)["table"]]


@pytest.mark.parametrize(("profile", "h1", "verdict"), [("quick", 99.0, NOT_RUN), ("full", 99.0, REPRODUCED), ("full", 90.0, PARTLY)])
def test_digits_never_decide_what_is_claimed_of_mnist(profile, h1, verdict):
    found = results({"images": accuracy(lambda net, layers: 92.4 if not layers else h1 if net == "H1" else 99.0)}, profile)
    assert images.table_2(found).verdict == verdict
    assert images.table_2_table(found)["L4DC 2021, test"].notna().any() == (profile == "full")


def test_a_net_without_layers_is_a_row_of_its_own_and_to_be_as_poor_as_the_papers():
    alone = results({"images": accuracy(lambda net, layers: 92.4 if not layers else 99.0)}, "full")
    assert list(images.table_2_table(alone).query("layers == 0")["net"]) == [images.NONE]
    as_good = results({"images": accuracy(lambda net, layers: 99.0)}, "full")
    assert [images.table_2(found).verdict for found in (alone, as_good)] == [REPRODUCED, PARTLY]


@pytest.mark.parametrize(("lowest", "verdict"), [(1.0, REPRODUCED), (0.9, PARTLY)])
def test_one_example_below_the_bound_is_enough(lowest, verdict):
    def followed(work: Alternating):
        return {"lowest": lowest, "end": 1e-10, "test_accuracy": 0.5}
    assert through.bounded_below(results({"depths": lambda work: {"lowest": 1.0}, "through": followed})).verdict == verdict
