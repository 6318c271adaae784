"""Scans: every backend equals the eager loop, in outputs, states and every gradient."""

import contextlib
import functools
import importlib
import importlib.util
import logging
import operator
import subprocess
import sys
from collections import deque
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eventsnn import memory
from eventsnn import scan as scanning
from eventsnn.scan import backend, explain, scan, scan_pooled, scan_recurrent
from eventsnn.scan.layout import collapse, offsets
from eventsnn.scan.pooled import POOLS, blocks
from eventsnn.scan.rehearsal import launch, rehearsal
from eventsnn.scan.tree import flatten, unflatten
from eventsnn.surrogate import threshold

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
FUSED = ["cpu", pytest.param("triton", marks=needs_triton)]


class LIFState(NamedTuple):
    v: torch.Tensor
    i: torch.Tensor


class LIFParameters(NamedTuple):
    tau_syn: object = 0.2
    tau_mem: object = 0.1
    v_th: object = 0.4
    v_reset: object = -0.1
    method: str = "super"


def lif(x, state, p, *, dt=1.0):
    i = state.i + x
    v = state.v + (dt * p.tau_mem) * (i - state.v)
    i = i - (dt * p.tau_syn) * i
    z = threshold(v - p.v_th, p.method, 10.0)
    return z, LIFState((1 - z) * v + z * p.v_reset, i)


def decay(x, v, p):
    v = v + p * (x - v)
    return v, v


def adaptive(x, state, p):
    """Three states, an exponential, a clamp, a mask, a nested state."""
    (v, i), rest = state
    v = v + 0.1 * (torch.exp(torch.clamp((v - p["foot"]) / p["width"], max=3.0)) - v + i)
    i = i * 0.8 + x
    z = threshold(v - 1.0, "triangle", 0.3)
    z = torch.where(rest > 0, 0.0 * z, z)
    v = torch.where(z > 0, -0.2, v)
    rest = torch.where(z > 0, 2.0, torch.relu(rest - 1.0))
    return z + 0.1 * torch.tanh(v), ((v, i), rest)


def izhikevich(x, state, p):
    v, u = state
    v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + x)
    u = u + 0.5 * p["a"] * (p["b"] * v - u)
    z = threshold(v - 30.0, "super", 1.0)
    return z, [torch.where(z > 0, p["c"], v), u + 8.0 * z]


STEPS = {
    "lif": (functools.partial(lif, dt=0.9), LIFState(0.0, 0.1), LIFParameters(), 1.0),
    "decay": (decay, 0.5, 0.3, 1.0),
    "adaptive": (adaptive, ((0.1, 0.0), 0.0), {"foot": 0.5, "width": 0.7}, 1.0),
    "izhikevich": (izhikevich, [-65.0, -13.0], {"a": 0.02, "b": 0.2, "c": -65.0}, 15.0),
}


@pytest.fixture(autouse=True)
def _interpreter(monkeypatch, tmp_path_factory):
    if not torch.cuda.is_available():
        monkeypatch.setenv("TRITON_INTERPRET", "1")


def operands(name, shape, dtype=torch.float32, seed=0, parameter_shape=()):
    step, state, params, size = STEPS[name]
    random = torch.Generator().manual_seed(seed)
    kind = torch.float64 if dtype == torch.float64 else torch.float32

    def leaf(value, of):
        noise = 0.05 * abs(value) * torch.rand(of, generator=random, dtype=kind)
        return (value + noise).requires_grad_()

    x = (size * torch.rand(shape, generator=random)).to(dtype).requires_grad_()
    leaves, form = flatten(state)
    state = unflatten([leaf(value, shape[1:]) for value in leaves], form)
    leaves, form = flatten(params)
    return step, x, state, unflatten([leaf(value, parameter_shape) for value in leaves], form)


def everything(on, step, x, state, params, **options):
    """Outputs, final states and all gradients of a weighted sum of both."""
    outputs, final = scan(step, x, state, params, backend=on, **options)
    results = [outputs, *flatten(final)[0]]
    random = torch.Generator().manual_seed(9)
    loss = sum((r.float() * torch.randn(r.shape, generator=random)).sum() for r in results)
    leaves = [t for tree in (x, state, params) for t in flatten(tree)[0] if isinstance(t, torch.Tensor)]
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    grads = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [r.detach() for r in results], [
        torch.zeros_like(p) if g is None else g for p, g in zip(leaves, grads, strict=True)
    ]


def assert_same(found, expected, tolerance=1e-5):
    for f, e in zip(found, expected, strict=True):
        assert f.dtype == e.dtype
        assert f.shape == e.shape
        size = e.abs().max().item() if e.numel() else 0.0
        torch.testing.assert_close(f, e, rtol=tolerance, atol=tolerance * max(size, 1e-6))


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("shape", [(1, 1), (9, 3, 5), (18, 7)])
def test_fused_backends_equal_the_loop(on, name, shape):
    work = operands(name, shape)
    (outputs, *states), grads = everything(on, *work)
    (expected, *final), expected_grads = everything("loop", *work)
    assert torch.equal(outputs, expected) or name == "adaptive"  # its exponential is another one
    assert_same([outputs, *states], [expected, *final])
    assert_same(grads, expected_grads)


@pytest.mark.parametrize("name", STEPS)
def test_float64_on_the_cpu_backend(name):
    work = operands(name, (35, 6), torch.float64)
    for found, expected in zip(everything("cpu", *work), everything("loop", *work), strict=True):
        assert_same(found, expected, 1e-12)


def test_blocks_and_threads_leave_no_seam(monkeypatch):
    cpu = importlib.import_module("eventsnn.scan.cpu")
    monkeypatch.setattr(cpu, "WORK", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    work = operands("lif", (20, 2, 1301))
    for found, expected in zip(everything("cpu", *work), everything("loop", *work), strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_inputs_and_outputs(on, dtype):
    work = operands("lif", (9, 5), dtype)
    found, expected = everything(on, *work), everything("loop", *work)
    assert found[0][0].dtype == dtype
    assert found[0][1].dtype == torch.float32
    assert_same(found[0], expected[0])
    assert_same(found[1], expected[1], 1e-2)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_spikes_as_integers(on, dtype):
    step, x, state, params = operands("lif", (6, 4))
    spikes = (x.detach() > 0.5).to(dtype)
    found, _ = scan(step, spikes, state, params, backend=on)
    expected, _ = scan(step, spikes.float(), state, params, backend="loop")
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("parameter_shape", [(), (5,), (3, 1), (2, 1, 1), (2, 3, 5)])
def test_parameters_broadcast_and_learn(on, parameter_shape):
    work = operands("lif", (5, 2, 3, 5), parameter_shape=parameter_shape)
    for found, expected in zip(everything(on, *work), everything("loop", *work), strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("on", FUSED)
def test_numbers_for_parameters(on):
    step, x, state, _ = operands("lif", (9, 4))
    for found, expected in zip(
        everything(on, step, x, state, LIFParameters()),
        everything("loop", step, x, state, LIFParameters()),
        strict=True,
    ):
        assert_same(found, expected)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("change", ["batch first", "every other", "broadcast", "flipped axes"])
def test_strided_inputs(on, change):
    step, _, state, params = operands("lif", (6, 3, 4))
    x = torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(3))
    x = {
        "batch first": x[..., :4].transpose(0, 1),
        "every other": x[..., ::2].transpose(0, 1),
        "broadcast": x[:1, :, :1].transpose(0, 1).expand(6, 3, 4),
        "flipped axes": x[..., :4]
        .permute(1, 2, 0)[:, :3]
        .transpose(1, 2)[..., :1]
        .expand(6, 3, 3)[..., :1]
        .expand(6, 3, 4),
    }[change].requires_grad_()
    for found, expected in zip(
        everything(on, step, x, state, params), everything("loop", step, x, state, params), strict=True
    ):
        assert_same(found, expected)


@pytest.mark.parametrize("on", ["loop", *FUSED])
def test_one_long_run_is_two_with_the_state_carried(on):
    step, x, state, params = operands("lif", (13, 4))
    whole, final = scan(step, x, state, params, backend=on)
    first, middle = scan(step, x[:6], state, params, backend=on)
    second, end = scan(step, x[6:], middle, params, backend=on)
    assert torch.equal(whole, torch.cat([first, second]))
    assert all(torch.equal(a, b) for a, b in zip(final, end, strict=True))
    once = torch.autograd.grad(whole.sum() + final.v.sum(), [x, state.v, params.tau_mem])
    twice = torch.autograd.grad(first.sum() + second.sum() + end.v.sum(), [x, state.v, params.tau_mem])
    assert_same(twice, once)


@pytest.mark.parametrize("on", ["loop", *FUSED])
@pytest.mark.parametrize("steps", [0, 1])
def test_hardly_any_time(on, steps):
    step, x, state, params = operands("lif", (steps, 4))
    outputs, final = scan(step, x, state, params, backend=on)
    assert outputs.shape == (steps, 4)
    if steps == 0:
        assert all(torch.equal(a, b) for a, b in zip(final, state, strict=True))


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("name", ["lif", "adaptive"])
def test_recorded_states(on, name):
    work = operands(name, (9, 3))
    for found, expected in zip(
        everything(on, *work, record_states=True), everything("loop", *work, record_states=True), strict=True
    ):
        assert_same(found, expected)
    recorded = flatten(scan(*work, backend=on, record_states=True)[1])[0]
    final = flatten(scan(*work, backend=on)[1])[0]
    assert all(torch.equal(r[-1], f) for r, f in zip(recorded, final, strict=True))


@pytest.mark.parametrize("on", FUSED)
def test_trees_of_inputs(on):
    def step(x, v, p):
        drive, (keep, gain) = x
        v = torch.where(keep, v, 0.0) + p * drive * gain
        return v, v

    random = torch.Generator().manual_seed(2)
    drive = torch.rand(7, 2, 3, generator=random).requires_grad_()
    keep = torch.rand(7, 2, 1, generator=random) > 0.3
    gain = torch.rand(7, 3, generator=random).requires_grad_()
    work = (step, (drive, (keep, gain)), torch.rand(2, 3, generator=random).requires_grad_(), torch.tensor(0.5))
    for found, expected in zip(everything(on, *work), everything("loop", *work), strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("on", FUSED)
def test_a_gradient_that_nobody_sends_is_zero(on):
    step, x, state, params = operands("lif", (9, 4))
    outputs, final = scan(step, x, state, params, backend=on)
    expected_outputs, expected_final = scan(step, x, state, params, backend="loop")
    for end, expected in ((outputs, expected_outputs), (final.v, expected_final.v)):
        found, truth = (torch.autograd.grad(e.sum(), x, retain_graph=True) for e in (end, expected))
        assert_same(found, truth)


@pytest.mark.parametrize("on", FUSED)
def test_every_element_is_written(on, monkeypatch):
    empty = torch.empty

    def poisoned(*args, **kwargs):
        return empty(*args, **kwargs).fill_(float("nan"))

    work = operands("lif", (19, 5, 3))
    monkeypatch.setattr(torch, "empty", poisoned)
    for found in everything(on, *work):
        assert all(torch.isfinite(f).all() for f in found)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # Triton's interpreter computes with numpy
def test_nan_stays_in_its_own_neuron(on, name):
    step, x, state, params = operands(name, (5, 6))
    clean, _ = scan(step, x, state, params, backend=on)
    sick = x.detach().clone()
    sick[1, 2] = float("nan")
    sick.requires_grad_()
    outputs, _ = scan(step, sick, state, params, backend=on)
    others = torch.arange(6) != 2
    assert torch.equal(outputs[:, others], clean[:, others])
    grad = torch.autograd.grad(outputs[:, others].sum(), sick)[0]
    assert torch.isfinite(grad[:, others]).all()


def test_a_second_derivative_goes_through_the_loop():
    def step(x, v, p):
        v = v + p * (torch.tanh(x) - v) * v
        return v * v, v

    random = torch.Generator().manual_seed(4)
    leaves = [torch.rand(s, generator=random, dtype=torch.float64).requires_grad_() for s in ((4, 2), (2,), ())]
    run = functools.partial(scan, step, backend="cpu")
    assert torch.autograd.gradcheck(run, leaves)
    assert torch.autograd.gradgradcheck(run, leaves)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiles_into_one_graph():
    step, x, state, params = operands("lif", (6, 4))

    def model(x, state, params):
        outputs, final = scan(step, 2 * x, state, params)
        return outputs.sum() + final.v.sum()

    expected = torch.autograd.grad(model(x, state, params), [x, state.i, params.v_th])
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same(torch.autograd.grad(compiled(x, state, params), [x, state.i, params.v_th]), expected)


def test_vmap_goes_through_the_loop():
    step, x, state, params = operands("decay", (5, 3))
    found = torch.func.vmap(lambda x, v: scan(step, x, v, params, backend="cpu")[0], in_dims=(1, 0), out_dims=1)(
        x, state
    )
    assert torch.equal(found, scan(step, x, state, params, backend="loop")[0])


def test_an_operation_between_neurons_falls_back_by_name_once(caplog):
    def step(x, v, p):
        v = v + torch.roll(x, 1, dims=-1)
        return v, v

    x = torch.rand(3, 4)
    with caplog.at_level(logging.WARNING, logger="eventsnn"):
        found, _ = scan(step, x, torch.zeros(4), None, backend="cpu")
        scan(step, x, torch.zeros(4), None, backend="cpu")
    assert torch.equal(found, scan(step, x, torch.zeros(4), None, backend="loop")[0])
    assert [("aten.roll" in record.message) for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (lambda x, v, p: (x.sum() + v, v), "aten.sum"),
        (lambda x, v, p: (torch.rand_like(v), v), "aten.rand_like"),
        (lambda x, v, p: (x.double().float() + v, v), "float64"),
        (lambda x, v, p: (x if p > 0 else v, v), "aten._local_scalar_dense"),
    ],
)
def test_what_is_not_pointwise_is_not_fused(step, word, caplog):
    with caplog.at_level(logging.WARNING, logger="eventsnn"):
        scan(step, torch.rand(2, 3), torch.zeros(3), torch.tensor(1.0), backend="cpu")
    assert word in caplog.text


def test_a_tensor_the_step_holds_is_not_baked_in():
    weight = torch.tensor([2.0])

    def step(x, v, p):
        return x * weight, v

    assert scan(step, torch.ones(2, 3), torch.zeros(3), None, backend="cpu")[0].unique().tolist() == [2.0]
    weight.fill_(3.0)
    assert scan(step, torch.ones(2, 3), torch.zeros(3), None, backend="cpu")[0].unique().tolist() == [3.0]


def test_constants_of_the_step_are_told_apart():
    x, v = torch.ones(2, 3), torch.zeros(3)

    def step(x, v, p, *, gain):
        v = v + gain * x
        return v, v

    for gain in (1.0, 2.0, 1.0):
        outputs, _ = scan(functools.partial(step, gain=gain), x, v, None, backend="cpu")
        assert outputs[-1].unique().tolist() == [2 * gain]


def test_backend_choice_and_errors():
    step, x, state, params = operands("decay", (3, 2))
    with backend("loop"):
        assert "loop" in explain(step, x, state, params)
    assert "def kernel(" in explain(step, x, state, params, backend="cpu")
    with pytest.raises(ValueError, match="unknown backend 'gpu'; there are loop, cpu, triton"):
        scan(step, x, state, params, backend="gpu")
    with pytest.raises(ValueError, match="unknown backend"), backend("fast"):
        pass


@pytest.mark.parametrize("on", FUSED)
def test_shapes_that_do_not_broadcast(on):
    step, x, state, params = operands("lif", (3, 4))
    with pytest.raises(ValueError, match=r"the parameters \[\[\], \[3\], \[\], \[\]\] must broadcast"):
        scan(step, x, state, params._replace(tau_mem=torch.ones(3)), backend=on)


@needs_triton
def test_triton_source_is_readable():
    step, x, state, params = operands("lif", (3, 2))
    text = explain(step, x, state, params, backend="triton")
    assert "@triton.jit" in text
    assert "for c in range(0, full):" in text


def test_importing_pulls_no_compiler():
    code = "import sys, eventsnn.scan; print([m for m in ('numba', 'triton') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_tracing_a_step_imports_no_compiler_of_torch():
    code = """
import sys, torch, eventsnn.scan.plan as plan
def step(x, v, p):
    v = v + p * (x - v)
    return v, v
assert plan.plan_key(step, ("*", "*", "*"), (torch.float32,) * 3, (1, 1, 1))
print([m for m in ("torch._dynamo", "sympy") if m in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_exponential_is_right_to_two_units_in_the_last_place():
    from eventsnn.scan.native import exp32, exp64

    for exp, kind, low, high in ((exp32, np.float32, -87.3, 88.7), (exp64, np.float64, -708.3, 709.7)):
        run = _mapped(exp)
        x = np.linspace(low, high, 200_001).astype(kind)
        truth = np.exp(x.astype(np.longdouble))
        assert (np.abs(run(x) - truth) / np.spacing(truth.astype(kind))).max() < 2
        special = run(np.array([np.nan, np.inf, -np.inf, 0.0, -1e4, 1e4], kind))
        np.testing.assert_array_equal(special, np.array([np.nan, np.inf, 0, 1, 0, np.inf], kind))


def _mapped(function):
    from numba import njit

    @njit
    def run(x):
        y = np.empty_like(x)
        for i in range(len(x)):
            y[i] = function(x[i])
        return y

    return run


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_layouts_find_every_element(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=0, max_size=4)))
    tensor = torch.arange(256).as_strided(shape, data.draw(st.tuples(*[st.integers(0, 5)] * len(shape))))
    layout = collapse(tensor.shape, tensor.stride())
    assert len(layout) <= len(shape)
    assert torch.equal(offsets(layout).expand(tensor.numel()), tensor.flatten())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_compiled_kernels_equal_the_loop(name, dtype):
    step, x, state, params = operands(name, (53, 3, 301), dtype)
    move = lambda tree: unflatten([t.detach().cuda().requires_grad_() for t in flatten(tree)[0]], flatten(tree)[1])  # noqa: E731
    x, state, params = x.detach().cuda().requires_grad_(), move(state), move(params)
    found, expected = (scan(step, x, state, params, backend=on) for on in (None, "loop"))
    assert (found[0] != expected[0]).float().mean() < (1e-5 if name != "adaptive" else 1)
    assert_same([found[0]], [expected[0]], 1e-4 if dtype == torch.float32 else 1e-2)


def recurrent_operands(name, shape, seed=0):
    step, x, state, params = operands(name, shape, seed=seed)

    def fed(pair, state, params):
        return step(pair[0] + pair[1], state, params)

    weights = torch.randn(shape[-1], shape[-1], generator=torch.Generator().manual_seed(seed)) / shape[-1] ** 0.5
    return fed, x, state, params, weights.requires_grad_()


RECURRENT = {"lif": lambda state: state.v, "decay": lambda v: v, "adaptive": lambda state: state[0][0]}


def everything_recurrent(on, spike, work, **options):
    step, x, state, params, weights = work
    outputs, final = scan_recurrent(step, x, state, params, weights, spike=spike, backend=on, **options)
    results = [outputs, *flatten(final)[0]]
    random = torch.Generator().manual_seed(9)
    loss = sum((r.float() * torch.randn(r.shape, generator=random)).sum() for r in results)
    leaves = [leaf for tree in (x, state, params, weights) for leaf in flatten(tree)[0]]
    return [r.detach() for r in results], torch.autograd.grad(loss, leaves)


@pytest.mark.parametrize("on", FUSED)
@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("record", [False, True])
def test_recurrent_scans_equal_the_loop(on, name, record):
    work = recurrent_operands(name, (6, 2, 3, 4))
    found = everything_recurrent(on, RECURRENT[name], work, record_states=record)
    expected = everything_recurrent("loop", RECURRENT[name], work, record_states=record)
    assert_same(found[0], expected[0])
    assert_same(found[1], expected[1])


@pytest.mark.parametrize("on", FUSED)
def test_recurrent_scans_with_two_weights(on):
    def step(pair, v, p):
        (a, b), (c, d) = pair
        v = p * v + a - b + torch.relu(c) - 0.5 * d
        return torch.tanh(v), v

    random = torch.Generator().manual_seed(1)
    x = tuple(torch.rand(5, 2, 3, generator=random).requires_grad_() for _ in range(2))
    weights = tuple(torch.rand(3, 3, generator=random).requires_grad_() for _ in range(2))
    work = (step, x, torch.rand(2, 3, generator=random).requires_grad_(), torch.tensor(0.7).requires_grad_(), weights)
    found, expected = (everything_recurrent(to, lambda v: v, work) for to in (on, "loop"))
    assert_same(found[0], expected[0])
    assert_same(found[1], expected[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("record", [False, True])
def test_recurrent_scans_compile_into_one_graph(record):
    step, x, state, params, weights = recurrent_operands("lif", (5, 2, 3))
    leaves = [x, state.v, params.tau_mem, weights]

    def model(x, state, params, weights):
        outputs, final = scan_recurrent(
            step, 2 * x, state, params, weights, spike=operator.attrgetter("v"), record_states=record
        )
        return outputs.sum() + (final.v**2).sum()

    expected = torch.autograd.grad(model(x, state, params, weights), leaves)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same(torch.autograd.grad(compiled(x, state, params, weights), leaves), expected)


def test_recurrent_feedback_that_is_computed_goes_through_the_loop():
    work = recurrent_operands("decay", (4, 2, 3))
    found, expected = (everything_recurrent(on, lambda v: torch.relu(v), work) for on in ("cpu", "loop"))
    assert_same(found[1], expected[1], 0)


# pooled


def pooled_everything(on, device, step, x, state, params, pool):
    x, state, params = ([leaf.detach().to(device).requires_grad_() for leaf in leaves] for leaves in (x, state, params))
    y, final = scan_pooled(functools.partial(flat_lif, step=step), x[0], state, params, pool=pool, backend=on)
    inside = [blocks(value) for value in final]  # nobody sees the others
    results = [y, *(part for parts in inside for part in parts)]
    random = torch.Generator().manual_seed(9)
    loss = sum((r.float() * torch.randn(r.shape, generator=random).to(device)).sum() for r in results)
    gradients = torch.autograd.grad(loss, [*x, *state, *params])
    gradients = [*gradients[:1], *(part for g in gradients[1 : 1 + len(state)] for part in blocks(g)), *gradients[3:]]
    return [value.detach().cpu() for value in (*results, *gradients)]


def flat_lif(x, state, params, *, step):
    output, state = step(x, LIFState(*state), LIFParameters(*params))
    return output, list(state)


def check_pooled(shape, pool, device, dtype=torch.float32):
    random = torch.Generator().manual_seed(0)
    step = functools.partial(lif, dt=0.9)
    x = [(3 * torch.rand(shape, generator=random)).to(dtype)]
    state = [torch.rand(shape[1:], generator=random) for _ in LIFState._fields]
    params = [torch.tensor(value) for value in LIFParameters()[:4]]
    found, expected = (pooled_everything(on, device, step, x, state, params, pool) for on in ("triton", "loop"))
    assert_same(found, expected, 1e-5 if dtype == torch.float32 else 2e-2)


@needs_triton
@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("shape", [(6, 2, 4, 6, 3), (5, 1, 5, 3, 2), (1, 1, 2, 2, 1)])
@pytest.mark.parametrize("chunk", [2, 4])
def test_pooled_scans_equal_the_loop(shape, pool, chunk, monkeypatch):
    module = importlib.import_module("eventsnn.scan.triton")
    cut = module.config(2**20, 1, 4, inputs=4)._replace(chunk=chunk)
    monkeypatch.setattr(module, "config", lambda *sizes, **more: cut)
    monkeypatch.setattr(module, "LAUNCHERS", {})
    check_pooled(shape, pool, "cpu" if not torch.cuda.is_available() else "cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch", [3, 130])
def test_pooled_kernels_equal_the_loop(dtype, batch):
    check_pooled((30, batch, 34, 17, 32), "mean", "cuda", dtype)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_pools_are_those_of_torch(pool):
    x = torch.randint(0, 3, (2, 3, 5, 4, 2)).float().requires_grad_()
    theirs = {"mean": torch.nn.functional.avg_pool2d, "max": torch.nn.functional.max_pool2d}[pool]
    y = POOLS[pool](blocks(x))
    z = theirs(x.flatten(0, 1).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1).unflatten(0, (2, 3))
    weight = torch.rand(y.shape)
    assert torch.equal(y, z)
    assert torch.equal(*(torch.autograd.grad((out * weight).sum(), x)[0] for out in (y, z)))


@needs_triton
def test_a_rehearsal_compiles_each_kernel_once_and_launches_none(monkeypatch):
    class Kernel:
        def __getitem__(self, grid):
            return lambda *values, **options: launched.append((grid, options)) or "launched"

        def warmup(self, *values, grid, **options):
            warmed.append([v if isinstance(v, int) else (v.dtype, v.data_ptr()) for v in values])
            if values[-1] == 9:
                raise RuntimeError("does not compile")
            return {grid: "loaded"}

    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    kernel, x, grid, launched, warmed = Kernel(), torch.zeros(9), (2, 1, 1), [], []
    with rehearsal():
        found = [launch(kernel, grid, tensor, steps, BLOCK=8) for steps in (3, 9) for tensor in (x, x[4:], x[1:])]
    assert found == [None] * 6
    odd = x[1:].data_ptr() % 16
    kinds = [[(torch.float32, at), steps] for at in (x.data_ptr() % 16, odd) for steps in (3, 9)]
    assert sorted(warmed, key=str) == sorted(kinds, key=str)
    assert not launched
    assert launch(kernel, grid, x, 9, BLOCK=8) == "launched"
    assert launched == [(grid, {"BLOCK": 8})]


def test_public_names():
    assert set(scanning.__all__) == {"Step", "backend", "explain", "scan", "scan_pooled", "scan_recurrent"}


def test_memory_is_given_out_again_only_when_all_views_are_gone(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", deque())
    shape = (4 * memory.PAGE, 1)
    first = memory.fresh(shape, torch.uint8)
    place, view = first.data_ptr(), first[5:7]
    del first
    assert memory.fresh(shape, torch.uint8).data_ptr() != place
    del view
    assert {b.ctypes.data for b in memory.KEPT} >= {place}
    again = [memory.fresh(shape, torch.uint8) for _ in range(2)]
    assert place in {a.data_ptr() for a in again}
    assert again[0].data_ptr() != again[1].data_ptr()
    assert not memory.KEPT
    monkeypatch.setattr(memory, "_limit", lambda: 4 * memory.PAGE)
    del again
    assert len(memory.KEPT) == 1
    memory.release()
    assert not memory.KEPT


def test_an_exported_graph_has_the_steps_themselves():
    class Decay(torch.nn.Module):
        def forward(self, x):
            return scan(lambda x, v, p: (v + p * x, v + p * x), x, torch.zeros(3), 0.5)[0]

    x = torch.rand(4, 3)
    exported = torch.export.export(Decay(), (x,))
    assert not [node for node in exported.graph.nodes if "eventsnn" in str(node.target)]
    assert_same(exported.module()(x), Decay()(x))
