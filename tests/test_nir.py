"""NIR: what goes out comes back with the same spikes, what others write runs, what NIR cannot express is refused."""

import copy
import pickle
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest
import torch

import eventsnn
from eventsnn.containers import LConv2d, Lift, RecurrentSequential, SequentialState
from eventsnn.containers.delays import DelayLinear
from eventsnn.nir import NIRNetwork, from_nir, to_nir
from eventsnn.nir.delays import Delay

nir = pytest.importorskip("nir", reason="the package nir is not installed: pip install 'eventsnn[nir]'")

Linear, Conv2d, Flatten, AvgPool2d = torch.nn.Linear, torch.nn.Conv2d, torch.nn.Flatten, torch.nn.AvgPool2d
PLAIN = ("IAF", "LI", "LIBox", "LIF", "LIFBox")


def uniform(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def seeded(make):
    torch.manual_seed(0)
    return make()


def image_network():
    return SequentialState(
        Conv2d(2, 4, (3, 2), padding=1, bias=False),
        eventsnn.LIFBox(eventsnn.LIFBoxParameters(tau_mem_inv=300.0, v_th=torch.tensor(0.05))),
        AvgPool2d(2, divisor_override=1),
        torch.nn.Dropout(),
        Conv2d(4, 4, 2, groups=2, stride=2),
        eventsnn.IAF(),
        AvgPool2d(2, 1),
        Flatten(2),
        Linear(4, 5),
        eventsnn.LIF(dt=0.002),
        SequentialState(Linear(5, 3, bias=False), eventsnn.LI()),
    )


def delayed(**options):
    layer = DelayLinear(4, 3, max_delay=5, **options)
    layer.anneal(0.1)
    return SequentialState(layer, eventsnn.LIFBox(dt=0.002), DelayLinear(3, 2, max_delay=1), eventsnn.LIBox(dt=0.002))


def feedback():
    return Lift(RecurrentSequential(Linear(4, 4), eventsnn.LIFCell(), Linear(4, 4), output_modules=1))


NETWORKS = {  # model, shape of one sample, whether it comes back as a chain
    **{name: (getattr(eventsnn, name), (3,), True) for name in PLAIN},
    **{f"{name}Recurrent": (partial(getattr(eventsnn, f"{name}Recurrent"), 4, 3), (4,), False) for name in PLAIN},
    "autapses": (lambda: eventsnn.LIFRecurrent(4, 3, autapses=True), (4,), False),
    "LILinear": (lambda: eventsnn.LILinear(4, 3), (4,), True),
    "learnable": (lambda: eventsnn.LIF(learnable=("tau_mem_inv", "v_th")), (3,), True),
    "per neuron": (lambda: eventsnn.LIF(eventsnn.LIFParameters(v_th=torch.tensor([0.1, 0.5, 1.0]))), (3,), True),
    "images": (image_network, (2, 8, 9), True),
    "line": (lambda: SequentialState(torch.nn.Conv1d(2, 3, 3, dilation=2), eventsnn.LIFBox()), (2, 9), True),
    "same": (lambda: torch.nn.Sequential(Conv2d(2, 3, 3, padding="same")), (2, 5, 5), True),
    "LConv2d": (lambda: LConv2d(2, 3, 3), (2, 5, 5), True),
    "torch": (lambda: torch.nn.Sequential(Conv2d(2, 3, 3), Flatten(), Linear(27, 2)), (2, 5, 5), True),
    "MaxPool2d of LIFBox": (
        lambda: SequentialState(eventsnn.LIFBox(), torch.nn.MaxPool2d(3, 2, 1), torch.nn.MaxPool2d(2), Flatten(2)),
        (2, 9, 9),
        True,
    ),
    "LPPool2d": (lambda: torch.nn.LPPool2d(1, 2), (2, 4, 4), True),
    "layers": (
        lambda: SequentialState(eventsnn.LIFRecurrent(4, 6), Linear(6, 2), eventsnn.LIFBoxRecurrent(2, 2)),
        (4,),
        False,
    ),
    "feedback": (feedback, (4,), False),
    "delays": (delayed, (4,), False),
    "delays without bias": (partial(delayed, bias=False), (4,), False),
    "cells": (lambda: Lift(SequentialState(Flatten(1), Linear(8, 3), eventsnn.LIFCell())), (2, 4), True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip_gives_the_same_spikes(name, tmp_path):
    make, shape, chain = NETWORKS[name]
    model = seeded(make).eval()
    graph = to_nir(model, shape, tmp_path / "model.nir")
    x = 20 * uniform(12, 2, *shape)
    want = model(x)[0] if eventsnn.containers.is_stateful(model) else SequentialState(model)(x)[0]
    for source in (graph, tmp_path / "model.nir"):
        back = from_nir(source)
        assert isinstance(back, SequentialState if chain else NIRNetwork)
        out, _ = back(x)
        torch.testing.assert_close(out, want, rtol=1e-4, atol=1e-5)
        again, _ = from_nir(to_nir(back, shape))(x) if chain else (out, None)
        torch.testing.assert_close(again, want, rtol=1e-4, atol=1e-5)
    if "LIF" in name or name == "IAF":
        assert want.any()
        assert torch.equal(out, want)


@pytest.mark.parametrize("name", ["LIFRecurrent", "feedback", "images", "delays"])
def test_what_comes_back_streams_resets_copies_and_trains(name):
    make, shape, _ = NETWORKS[name]
    model, x = from_nir(to_nir(seeded(make).eval(), shape)), 20 * uniform(12, 2, *shape)
    whole, final = model(x)
    first, state = model(x[:5])
    second, end = model(x[5:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    mask = torch.zeros(12, 2, dtype=torch.bool)
    mask[5] = True
    torch.testing.assert_close(model(x, reset=mask)[0][5:], model(x[5:])[0])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x)[0], whole)
    assert type(final) is type(end)
    with warnings.catch_warnings(action="ignore"):  # torch, while it traces
        compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(x)[0], whole)
    model(x)[0].sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_equations_of_the_nodes():
    """One step of the written node, in NIR's own equations, adds what the module adds."""
    dt, x = 0.002, 3.0
    cuba = to_nir(eventsnn.LIF(eventsnn.LIFParameters(tau_syn_inv=50.0), dt), 2).nodes["model"]
    assert isinstance(cuba, nir.CubaLIF)
    np.testing.assert_allclose(dt / cuba.tau_syn * cuba.w_in * x, [x, x], rtol=1e-6)
    np.testing.assert_allclose(cuba.tau_mem, [0.01, 0.01], rtol=1e-6)
    integrate = to_nir(eventsnn.IAF(dt=dt), 2).nodes["model"]
    np.testing.assert_allclose(dt * integrate.r * x, [x, x], rtol=1e-6)
    assert cuba.metadata["dt"] == dt


def lif_node(**fields):
    return nir.LIF(**{k: np.full(3, v, dtype=np.float32) for k, v in fields.items()})


def test_a_graph_that_another_framework_wrote():
    """Affine, LIF with r = tau / dt as frameworks with v' = beta v + x write it, and a CubaLIF with synapse."""
    dt, beta, alpha = 1e-4, 0.9, 0.8
    tau, tau_syn = dt / (1 - beta), dt / (1 - alpha)
    weight, bias = uniform(3, 2).numpy(), uniform(3, seed=1).numpy()
    ones = np.ones(3, dtype=np.float32)
    lif = lif_node(tau=tau, r=tau / dt, v_leak=0.0, v_threshold=1.0, v_reset=0.0)
    synaptic = nir.CubaLIF(
        tau_syn=tau_syn * ones, tau_mem=tau * ones, r=tau / dt * ones, v_leak=0 * ones, v_threshold=ones,
        v_reset=0 * ones, w_in=tau_syn / dt * ones,
    )  # fmt: skip
    graph = nir.NIRGraph.from_list(nir.Affine(weight, bias), lif, nir.Linear(np.eye(3, dtype=np.float32)), synaptic)
    x = uniform(40, 2)
    out, _ = from_nir(graph, dt)(x[:, None])
    v = u = i = np.zeros(3)
    trains = []
    for t in range(40):  # the other framework's steps
        v = beta * v + weight @ x[t].numpy() + bias
        z = (v > 1).astype(float)
        v = np.where(z, 0, v)
        i = i * alpha + z
        u = beta * u + i
        trains.append((u > 1).astype(float))
        u = np.where(trains[-1], 0, u)
    assert out[:, 0].tolist() == np.stack(trains).tolist()
    assert 0 < out.mean() < 1


def test_recurrent_subgraph_written_by_hand():
    """A cell with its recurrence in a graph of its own, inside another graph."""
    weight, back = uniform(3, 2).numpy() * 4, uniform(3, 3, seed=1).numpy() - 0.5
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([3])}),
            "lif": lif_node(tau=0.01, r=1.0, v_leak=0.0, v_threshold=0.1, v_reset=0.0),
            "w_rec": nir.Linear(back * 5),
            "output": nir.Output({"output": np.array([3])}),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    graph = nir.NIRGraph(
        {"in": nir.Input({"input": np.array([2])}), "fc.1": nir.Linear(weight), "rec": inner,
         "out": nir.Output({"output": np.array([3])})},
        [("in", "fc.1"), ("fc.1", "rec"), ("rec", "out")],
    )  # fmt: skip
    p = eventsnn.LIFBoxParameters(v_th=0.1)
    truth = eventsnn.LIFBoxRecurrent(2, 3, p, input_weights=torch.from_numpy(weight),
                                     recurrent_weights=torch.from_numpy(back * 5), autapses=True)  # fmt: skip
    x = uniform(30, 4, 2)
    assert torch.equal(from_nir(graph)(x)[0], truth(x)[0])


def test_branches_are_summed():
    a, b, c = (uniform(3, 3, seed=seed).numpy() for seed in range(3))
    ends = {"i": nir.Input({"input": np.array([3])}), "o": nir.Output({"output": np.array([3])})}
    edges = [("i", "a"), ("i", "b"), ("a", "c"), ("b", "c"), ("a", "o"), ("c", "o")]
    graph = nir.NIRGraph(ends | {"c": nir.Linear(c), "b": nir.Linear(b), "a": nir.Linear(a)}, edges)
    x = uniform(5, 2, 3)
    torch.testing.assert_close(from_nir(graph)(x)[0], x @ torch.from_numpy(a + c @ (a + b)).T)


REFUSED = [
    (eventsnn.LIFRefrac, (3,), "model: NIR has no node for LIFRefrac, only for the models LIF, LI, LIFBox, LIBox, IAF"),
    (eventsnn.LSNN, (3,), "LSNN"),
    (lambda: eventsnn.CobaLIFRecurrent(3, 3), (3,), "CobaLIFRecurrent"),
    (lambda: eventsnn.LIFBox(eventsnn.LIFBoxParameters(reset_method=eventsnn.reset_subtract)), (3,), "reset_subtract"),
    (lambda: SequentialState(Linear(3, 3), torch.nn.ReLU()), (3,), "1: NIR cannot express ReLU"),
    (lambda: torch.nn.MaxPool2d(2), (1, 4, 4), "MaxPool2d.* put it behind a spiking neuron"),
    (lambda: SequentialState(eventsnn.LIF(), torch.nn.MaxPool2d(2, dilation=2)), (1, 4, 4), "MaxPool2d"),
    (lambda: AvgPool2d(2, ceil_mode=True), (1, 4, 4), "AvgPool2d"),
    (lambda: torch.nn.BatchNorm2d(1), (1, 4, 4), "BatchNorm2d"),
    (lambda: torch.nn.GRU(3, 3), (3,), "GRU"),
    (lambda: Conv2d(1, 1, 3, padding=1, padding_mode="circular"), (1, 4, 4), "Conv2d"),
    (lambda: Flatten(), (1, 4, 4), r"would flatten time or batch: over time write Flatten\(2\)"),
    (lambda: Linear(4, 4), (4, 4), "takes a vector"),
    (lambda: SequentialState(Linear(3, 3), return_hidden=True), (3,), "return_hidden"),
    (lambda: RecurrentSequential(Linear(3, 3), output_modules=[0]), (3,), "output_modules is the list"),
]


@pytest.mark.parametrize(("make", "shape", "message"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_models_that_nir_cannot_express_are_refused_by_name(make, shape, message):
    with pytest.raises(ValueError, match=message):
        to_nir(make(), shape)


def test_graphs_that_cannot_be_read_are_refused_by_name():
    ends = {"i": nir.Input({"input": np.array([2])}), "o": nir.Output({"output": np.array([2])})}
    other = nir.NIRGraph(ends | {"d": nir.I(np.ones(2))}, [("i", "d"), ("d", "o")])
    with pytest.raises(ValueError, match="d: there is no module for the NIR node I"):
        from_nir(other)
    delay = nir.NIRGraph(ends | {"d": nir.Delay(np.array([0.003, 0.0035]))}, [("i", "d"), ("d", "o")])
    with pytest.raises(ValueError, match=r"d: its delays are no whole numbers of steps of 0.001 s"):
        from_nir(delay)
    assert from_nir(delay, dt=0.0005)(torch.ones(9, 1, 2))[0].sum((0, 1)).tolist() == [3, 2]
    two = nir.NIRGraph(ends | {"j": nir.Input({"input": np.array([2])})}, [("i", "o"), ("j", "o")])
    with pytest.raises(ValueError, match="the graph must have one Input node, not 2"):
        from_nir(two)
    with pytest.raises(ValueError, match="no edges lead from i to o"):
        from_nir(nir.NIRGraph(ends, [], type_check=False))
    unstable = nir.NIRGraph.from_list(lif_node(tau=1e-4, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0))
    with pytest.raises(ValueError, match="take a smaller dt"):
        from_nir(unstable)
    assert from_nir(unstable, dt=1e-5)(torch.ones(2, 1, 3))[0].shape == (2, 1, 3)
    cycle = from_nir(to_nir(eventsnn.LIFRecurrent(2, 2), 2))
    with pytest.raises(ValueError, match="T = 0"):
        cycle(torch.ones(0, 1, 2))


def test_nir_is_imported_when_it_is_needed_and_its_lack_is_explained():
    code = (
        "import sys; sys.modules['nir'] = None; import eventsnn, eventsnn.nir as n\n"
        "for call in (lambda: n.to_nir(eventsnn.LIF(), 2), lambda: n.from_nir('x.nir')):\n"
        "    try: call()\n"
        "    except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["NIR graphs need the package nir: pip install 'eventsnn[nir]'"] * 2


@pytest.mark.parametrize("over_time", [True, False])
def test_a_delay_holds_back_each_element_and_forgets_at_a_reset(over_time):
    delay, x = Delay(torch.tensor([0, 3, 1]), over_time), uniform(9, 2, 3)
    reset = torch.zeros(9, 2, dtype=torch.bool)
    reset[2, 0] = reset[5] = True
    for mask in (None, reset):
        state, found = None, []
        for piece in (slice(0, 4), slice(4, 4), slice(4, 9)) if over_time else range(9):
            y, state = delay(x[piece], state, reset=None if mask is None else mask[piece])
            found.append(y if over_time else y[None])
        y = torch.cat(found)
        for t in range(9):
            for k, d in enumerate((0, 3, 1)):
                for b in range(2):
                    gone = t < d or (mask is not None and mask[t - d + 1 : t + 1, b].any())
                    assert y[t, b, k] == (0 if gone else x[t - d, b, k])


def test_delays_of_neurons_with_several_steps_are_refused():
    model = SequentialState(DelayLinear(3, 3), eventsnn.LIF(), eventsnn.LIF(dt=0.002))
    with pytest.raises(ValueError, match=r"0: its delays are in steps of one dt over time, but .* \[0.001, 0.002\]"):
        to_nir(model, 3)


def test_names_never_collide():
    inner = torch.nn.Sequential(Linear(2, 2))
    model = SequentialState()
    for name, module in {"input": inner, "output": Linear(2, 2), "model": eventsnn.LIF()}.items():
        model.add_module(name, module)
    graph = to_nir(model, 2)
    assert len(graph.nodes) == 5
    x = 30 * uniform(6, 1, 2)
    assert torch.equal(from_nir(graph)(x)[0], model(x)[0])


def test_a_model_of_cells_is_one_step():
    cells = seeded(lambda: SequentialState(Conv2d(2, 3, 3), eventsnn.LIFBoxCell(), Flatten(), Linear(27, 2)))
    x = 20 * uniform(12, 4, 2, 5, 5)
    torch.testing.assert_close(from_nir(to_nir(cells, (2, 5, 5)))(x)[0], Lift(cells)(x)[0])


def test_a_sample_is_no_shape():
    with pytest.raises(TypeError, match="the shape of one sample at one step"):
        to_nir(Linear(3, 3), torch.rand(4, 1, 3))
