"""`Reversible` against the same blocks in plain autograd: values, gradients, statistics, memory."""

import os

import pytest
import torch
from every_mode import weighed
from torch import nn

import stablenets as sn
from stablenets.engine.blocks import Reversible, run_functions
from stablenets.engine.replay import fork_generators, seed_generators
from stablenets.errors import BadInput
from stablenets.probes import kept_bytes

SEED = 5  # of the random numbers that f and g draw in `plain`


@pytest.fixture(autouse=True)
def seeded(monkeypatch):
    """The forward of `Reversible` draws the seed of its functions; here it draws SEED."""
    torch.manual_seed(0)
    draw = torch.randint
    monkeypatch.setattr(
        torch, "randint", lambda *a, **k: torch.tensor(SEED) if a == (2**62, ()) else draw(*a, **k)
    )


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 4))


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.2),
        nn.Conv2d(6, 4, 3, padding=1),
    )


class Reader(nn.Module):
    """A recurrent network on sequences (B, T, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


MAKERS = {
    "dense": (dense, (5, 8), 1),
    "conv": (conv, (3, 8, 5, 5), 1),
    "lstm": (Reader, (2, 3, 8), -1),
}


def built(kind: str, depth: int = 6) -> tuple[Reversible, torch.Tensor]:
    make, shape, dim = MAKERS[kind]
    return Reversible(make, make, depth, dim=dim).double(), torch.randn(shape, dtype=torch.float64)


def plain(chain: Reversible, x: torch.Tensor) -> torch.Tensor:
    """The same blocks with the same random numbers; autograd keeps every activation."""
    with fork_generators(x) as generators:
        halves = run_functions(
            chain, chain.split_halves(x), lambda k: seed_generators(generators, SEED + k)
        )
    return torch.cat(halves, chain.dim)


def outcome(chain, x, forward, wanted=None) -> list[torch.Tensor]:
    """Return the output, the gradients, and the buffers after the backward."""
    start = {name: value.clone() for name, value in chain.named_buffers()}
    y = forward(x)
    found = torch.autograd.grad(weighed(y), wanted or (x, *chain.parameters()), allow_unused=True)
    ends = [value.clone() for value in chain.buffers()]
    for name, value in chain.named_buffers():
        value.copy_(start[name])
    return [y, *(value for value in found if value is not None), *ends]


def same(found, wanted) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("kind", MAKERS)
def test_gradients_and_statistics_are_those_of_plain_autograd(kind, mode):
    """With dropout: masks are drawn again. With batch norms: each forward counts once."""
    chain, x = built(kind)
    chain.train(mode == "train")
    x.requires_grad_()
    same(outcome(chain, x, chain), outcome(chain, x, lambda x: plain(chain, x)))
    assert chain.reconstruction_error < 1e-12


def test_a_block_adds_f_of_the_second_half_and_then_g_of_the_new_first_half():
    chain, x = Reversible(lambda: nn.Linear(4, 4), lambda: nn.Linear(4, 4), 5), torch.randn(3, 8)
    first, second = x.chunk(2, 1)
    for f, g in zip(chain.f, chain.g, strict=True):
        first = first + f(second)
        second = second + g(first)
    assert torch.equal(chain(x), torch.cat((first, second), 1))


def test_random_numbers_differ_between_functions_and_forwards_and_do_not_reset(monkeypatch):
    chain, x = Reversible(lambda: nn.Dropout(0.5), lambda: nn.Dropout(0.5), 2), torch.ones(1, 400)
    assert torch.equal(chain(x), chain(x))  # with the seed of this file
    monkeypatch.undo()
    first, after = chain(x), torch.get_rng_state()
    assert not torch.equal(chain(x), first)
    assert not torch.equal(torch.get_rng_state(), after)
    f, g = Reversible(lambda: nn.Dropout(0.5), nn.Dropout, 1)(x).chunk(2, 1)
    assert not torch.equal(f - 1 > 0, g - f > 0)


def test_input_without_gradient_and_frozen_parameters():
    chain, x = built("conv")
    parameters = list(chain.parameters())
    for frozen in ((), parameters[:1], parameters[:-1]):
        chain.requires_grad_(True)
        for parameter in frozen:
            parameter.requires_grad_(False)
        asked = [parameter for parameter in parameters if parameter.requires_grad]
        same(*(outcome(chain, x, f, asked) for f in (chain, lambda x: plain(chain, x))))
    chain.requires_grad_(False)
    assert not chain(x).requires_grad
    x.requires_grad_()
    same(*(outcome(chain, x, f, [x]) for f in (chain, lambda x: plain(chain, x))))


def test_shared_modules_and_a_chain_used_twice():
    shared, x = dense(), torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    chain = Reversible([shared] * 3, nn.ModuleList(dense() for _ in range(3)), 3).double()
    assert len(list(chain.parameters())) == 4 + 3 * 4
    same(
        outcome(chain, x, lambda x: chain(chain(x))),
        outcome(chain, x, lambda x: plain(chain, plain(chain, x))),
    )


def test_functions_without_weights_or_gradient():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones_like(x)

    chain, x = Reversible(nn.Tanh, Constant, 3), torch.randn(2, 8).double().requires_grad_()
    same(*(outcome(chain, x, f) for f in (chain, lambda x: plain(chain, x))))
    empty = Reversible(nn.Tanh, nn.Tanh, 0)
    assert torch.equal(empty(x), x)
    assert torch.autograd.grad(empty(x).sum(), x)[0].eq(1).all()


def test_other_parameters_by_functional_call_get_their_gradients():
    chain, x = built("dense")
    others = {name: torch.randn_like(value) for name, value in chain.named_parameters()}
    leaves = [value.requires_grad_() for value in others.values()]
    y = torch.func.functional_call(chain, others, (x,))
    found = torch.autograd.grad(weighed(y), leaves)
    chain.load_state_dict(others)
    same(found, torch.autograd.grad(weighed(plain(chain, x)), list(chain.parameters())))


def twice() -> nn.Module:
    """A module in which one layer and one norm occur twice."""
    layer, norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
    return nn.Sequential(layer, norm, nn.Tanh(), norm, layer)


def test_a_layer_that_occurs_twice_in_a_function_keeps_its_parameters_and_counts_once():
    chain, x = Reversible(twice, twice, 3).double(), torch.randn(5, 8, dtype=torch.float64)
    parameters = list(chain.parameters())
    for _ in range(2):
        runs = (chain, lambda x: plain(chain, x))
        same(*(outcome(chain, x, run, parameters) for run in runs))
    assert list(map(id, chain.parameters())) == list(map(id, parameters))


def test_buffers_of_a_functional_call_are_those_of_its_backward_pass():
    chain, x = built("conv")
    chain.eval()
    parameters = {name: value.detach().requires_grad_() for name, value in chain.named_parameters()}
    buffers = {
        name: torch.rand_like(value) + 1 if value.is_floating_point() else value
        for name, value in chain.named_buffers()
    }
    y = torch.func.functional_call(chain, (parameters, buffers), (x,))
    found = torch.autograd.grad(weighed(y), list(parameters.values()))
    chain.load_state_dict({name: value.detach() for name, value in (parameters | buffers).items()})
    same(found, torch.autograd.grad(weighed(plain(chain, x)), list(chain.parameters())))


def test_an_evaluation_leaves_the_random_numbers_of_training(monkeypatch):
    monkeypatch.undo()
    chain, x = built("dense")
    before = torch.get_rng_state()
    with torch.no_grad():
        chain.eval()(x)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_mode_of_a_part_between_forward_and_backward_is_an_error():
    chain, x = built("dense")
    y = chain(x)
    chain.f.eval()
    with pytest.raises(RuntimeError, match=r"train\(\) or eval\(\)"):
        y.sum().backward()


def test_memory_does_not_grow_with_depth():
    x = torch.randn(16, 8, 5, 5)
    kept = {
        depth: [kept_bytes(Reversible(make, make, depth), x) for make in (conv, nn.Tanh)]
        for depth in (4, 64)
    }
    for shallow, deep in zip(kept[4], kept[64], strict=True):
        assert shallow <= 1.1 * x.nbytes
        assert deep <= 1.1 * shallow


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_gives_the_dtypes_and_gradients_of_plain_autograd(dtype):
    make, shape, dim = MAKERS["dense"]
    chain, x = Reversible(make, make, 6, dim=dim), torch.randn(shape, dtype=dtype)
    x.requires_grad_()
    results = []
    for forward in (chain, lambda x: plain(chain, x)):
        with torch.autocast("cpu", torch.bfloat16):
            y = forward(x)
        # backward outside of autocast, as torch recommends
        results.append([y, *torch.autograd.grad(weighed(y.float()), (x, *chain.parameters()))])
    for found, wanted in zip(*results, strict=True):
        assert found.dtype == wanted.dtype
        assert (found - wanted).norm() <= 0.02 * wanted.norm()
    assert results[0][0].dtype == dtype


def test_autocast_is_on_when_the_backward_runs_the_functions_again():
    class Watched(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            seen.append(y.dtype)
            return y

    chain, seen = Reversible(lambda: Watched(4, 4), nn.Tanh, 2), []
    with torch.autocast("cpu", torch.bfloat16):
        y = chain(torch.randn(3, 8))
    y.sum().backward()
    assert seen == [torch.bfloat16] * 4


def test_inverse_returns_the_input_and_changes_no_buffer():
    for chain, x in (built("dense", 50), built("conv", 10)):
        chain.eval()
        assert (chain.inverse(chain(x)) - x).abs().max() < 1e-12
    chain.train()
    with pytest.raises(BadInput, match=r"draws random numbers, as dropout; call eval\(\) first"):
        chain.inverse(x)
    for module in chain.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
    y, before = chain(x), [value.clone() for value in chain.buffers()]
    assert (chain.inverse(y) - x).abs().max() < 1e-10
    assert all(map(torch.equal, before, chain.buffers()))


def test_second_backward_and_second_derivative():
    chain, x = built("dense")
    x.requires_grad_()
    loss = weighed(chain(x))
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, x)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, x)
    with pytest.raises(RuntimeError, match=r"no second derivative \(create_graph=True\)"):
        torch.autograd.grad(chain(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"no torch.func transforms"):
        torch.func.grad(lambda x: chain(x).sum())(x)


def test_another_mode_between_forward_and_backward_is_an_error():
    chain, x = built("conv")
    loss = chain(x).sum()
    chain.eval()
    with pytest.raises(RuntimeError, match=r"train\(\) or eval\(\) was called between the"):
        loss.backward()


def test_parameters_changed_between_forward_and_backward_are_an_error():
    chain, x = built("dense")
    loss = chain(x).sum()
    with torch.no_grad():
        next(chain.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_no_example_and_inference_mode():
    chain, x = built("dense")
    empty = x[:0].clone().requires_grad_()
    chain(empty).sum().backward()
    assert empty.grad.shape == empty.shape
    with torch.inference_mode():
        assert torch.equal(chain(x.clone()), plain(chain, x))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Reversible(nn.Tanh(), nn.Tanh, 2), r"f=Tanh\(...\): is one module"),
        (lambda: Reversible(lambda: torch.tanh, nn.Tanh, 2), "f: returns .*no module"),
        (lambda: Reversible(nn.Tanh, [nn.Tanh()], 2), "g: 1 modules for depth=2"),
        (lambda: Reversible(nn.Tanh, nn.Tanh, -1), "depth=-1"),
        (lambda: Reversible(nn.Tanh, nn.Tanh, 1)(torch.ones(2, 5)), r"x \(2, 5\): .* dim=1"),
        (lambda: Reversible(nn.Tanh, nn.Tanh, 1)(torch.ones(4)), r"x \(4,\): .* dim=1"),
        (
            lambda: Reversible(nn.Tanh, lambda: nn.Linear(2, 3), 1)(torch.ones(1, 4)),
            r"g of block 0: returns \(1, 3\) for an input \(1, 2\)",
        ),
        (
            lambda: Reversible([nn.Tanh(), nn.ReLU(inplace=True)], nn.Tanh, 2)(torch.ones(1, 4)),
            "f of block 1: overwrites its input; use inplace=False",
        ),
        (
            lambda: Reversible(lambda: nn.LazyLinear(2), nn.Tanh, 1)(torch.ones(1, 4)),
            "f or g has lazy layers",
        ),
        (
            lambda: Reversible(lambda: nn.LSTM(2, 2), nn.Tanh, 1)(torch.ones(1, 4)),
            "f of block 0: returns a tuple",
        ),
    ],
)
def test_errors_name_what_is_wrong(wrong, words):
    with pytest.raises(BadInput, match=words) as error:
        wrong()
    assert "\n" not in str(error.value)


def test_it_is_public_and_its_weights_load():
    assert sn.Reversible is Reversible
    chain, x = built("dense")
    other, _ = built("dense")
    other.load_state_dict(chain.state_dict())
    assert set(chain.state_dict()) == {
        f"{name}.{block}.{layer}"
        for name in "fg"
        for block in range(6)
        for layer in ("0.weight", "0.bias", "3.weight", "3.bias")
    }
    assert torch.equal(other(x), chain(x))


def half(rank: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(4, 8, 5, 5, dtype=torch.float64, generator=generator)


def chain_of_two_ranks() -> Reversible:
    torch.manual_seed(1)
    return Reversible(lambda: conv()[:3].append(nn.Conv2d(6, 4, 1)), nn.Tanh, 3).double()


def one_of_two(rank: int, folder: str) -> None:
    """A process of the next test: runs half the batch through DDP and saves the gradients."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    chain = chain_of_two_ranks()
    shared = nn.parallel.DistributedDataParallel(chain)  # held: it averages in the backward
    weighed(shared(half(rank))).backward()
    torch.save([parameter.grad for parameter in chain.parameters()], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_average_the_gradients(tmp_path):
    torch.multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    chain = chain_of_two_ranks()
    each = [
        torch.autograd.grad(weighed(plain(chain, half(rank))), list(chain.parameters()))
        for rank in (0, 1)
    ]
    wanted = [(a + b) / 2 for a, b in zip(*each, strict=True)]
    for rank in (0, 1):
        same(torch.load(tmp_path / f"{rank}.pt", weights_only=True), wanted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_blocks_have_the_same_gradients():
    chain, x = built("dense")
    x.requires_grad_()
    same(outcome(chain, x, torch.compile(chain)), outcome(chain, x, lambda x: plain(chain, x)))
