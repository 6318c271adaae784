"""Containers: their reference values, what they equal written out by hand, and what every one of them must survive."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from torch.utils._pytree import tree_leaves

import eventsnn.containers as containers
import eventsnn.containers.delays as delays
from eventsnn import (
    LI,
    LIF,
    LICell,
    LIFBoxCell,
    LIFCell,
    LIFRecurrent,
    LIFRefracCell,
    LIFRefracParameters,
)
from eventsnn.containers import (
    LConv2d,
    Lift,
    RecurrentSequential,
    RecurrentSequentialState,
    RegularizationCell,
    SequentialState,
    is_stateful,
    reset_states,
    spike_accumulator,
    voltage_accumulator,
)

Linear, Conv2d, BatchNorm2d, Flatten = torch.nn.Linear, torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Flatten
F = 0.3 * (torch.arange(18.0, dtype=torch.float64) % 5)[:, None]


tracing = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch, while it traces


def equal(a, b, **tolerance):
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True):
        assert type(x) is type(y)
        if x is not None:
            torch.testing.assert_close(x, y, **(tolerance or {"rtol": 0, "atol": 0}))


def uniform(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def frames(steps=6):
    return (uniform(steps, 2, 2, 7, 7) > 0.5).float()


def network():
    torch.manual_seed(0)
    return SequentialState(
        Conv2d(2, 3, 3, bias=False), BatchNorm2d(3), LIF(), torch.nn.AvgPool2d(2), Flatten(2), Linear(12, 4), LI()
    )


def stack():
    torch.manual_seed(0)
    return Lift(RecurrentSequential(Linear(3, 3), LIFCell(), LICell(), output_modules=[1, 2]))


MODULES = {
    "SequentialState": (network, frames),
    "return_hidden": (lambda: SequentialState(*network(), return_hidden=True), frames),
    "nested": (lambda: SequentialState(network()[:3], network()[3:]), frames),
    "Lift": (lambda: Lift(LIFCell()), lambda: 3 * uniform(6, 3)),
    "RecurrentSequential": (stack, lambda: 3 * uniform(6, 2, 3)),
    "LConv2d": (lambda: LConv2d(2, 3, 3), frames),
    "regularized": (lambda: SequentialState(LIF(), RegularizationCell()), lambda: 3 * uniform(6, 3)),
}


def test_public_names():
    assert all(hasattr(containers, name) for name in containers.__all__)


# --- what is stateful ---


class Own(torch.nn.Module):
    def forward(self, x, state=None):
        return x, (state or 0) + 1


class Quiet(Own):
    is_stateful = False


@pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")  # torch, on the first use of its compiler
def test_statefulness_is_decided_at_the_call():
    for module in (LIF(), LIFRecurrent(1, 1), SequentialState(), Own(), torch.nn.GRU(1, 1), Lift(LIFCell())):
        assert is_stateful(module)
        assert is_stateful(torch.compile(module))
    for module in (Linear(1, 1), Quiet(), LConv2d(1, 1, 1), Lift(Linear(1, 1)), torch.nn.Sequential(LIF())):
        assert not is_stateful(module)
        assert not is_stateful(torch.compile(module))
    net = SequentialState(Linear(1, 1), Own())
    assert net.stateful_layers == [False, True]
    net[0] = Own()
    assert net.stateful_layers == [True, True]
    assert net(torch.ones(1), net(torch.ones(1))[1])[1] == [2, 2]


# --- Lift ---


def test_lifted_cell_is_its_layer():
    x, y = (F.repeat(1, 3).requires_grad_() for _ in range(2))
    a, b = Lift(LIFCell())(x), LIF()(y)
    equal(a, b)
    weights = uniform(18, 3).double()
    for out in (a, b):
        ((out[0] * weights).sum() + out[1].v.sum()).backward()
    equal(x.grad, y.grad, rtol=1e-12, atol=1e-12)
    equal(Lift(LIFCell())((x, a[1])), LIF()(x, a[1]))
    equal(Lift(LIFCell())((x, None), a[1]), LIF()(x, a[1]))
    mask = torch.zeros(18, 3, dtype=torch.bool)
    mask[10, 1] = True
    equal(Lift(LIFCell())(x, reset=mask), LIF()(x, reset=mask))


def test_lifted_stateless_module_is_a_loop():
    norm = torch.nn.BatchNorm1d(3)
    x = uniform(4, 5, 3)
    expected = torch.stack([torch.nn.BatchNorm1d(3)(step) for step in x])
    equal(Lift(norm)(x), expected)
    with pytest.raises(ValueError, match="T = 0"):
        Lift(norm)(x[:0])
    with pytest.raises(ValueError, match="time first"):
        Lift(norm)(torch.tensor(1.0))
    with pytest.raises(TypeError, match="takes a module, such as"):
        Lift(torch.relu)
    with pytest.raises(ValueError, match="5 rows, but there are 4 steps"):
        Lift(LIFCell())(x, reset=torch.zeros(5, dtype=torch.bool))


# --- SequentialState ---


def test_sequence_reference():
    net = SequentialState(LIF(), LI())
    out, (lif, li) = net(F)
    assert out[-3:, 0].tolist() == pytest.approx([0.479695, 0.499703, 0.504114], abs=1e-6)
    assert (lif.v.item(), lif.i.item()) == pytest.approx((0.980354, 2.116573), abs=1e-6)
    assert (li.v.item(), li.i.item()) == pytest.approx((0.504114, 0.435054), abs=1e-6)
    first, states = net(F[:9])
    kept = list(states)
    second, final = net(F[9:], states)
    equal((torch.cat([first, second]), final), (out, [lif, li]))
    assert all(a is b for a, b in zip(states, kept, strict=True))
    equal(net(F[:9], [None, None]), net(F[:9]))
    with pytest.raises(ValueError, match="3 states were given for 2 children"):
        net(F, [None] * 3)


def test_sequence_is_its_children_written_out():
    conv, norm, lif, pool, _, linear, li = net = network()
    x = frames()
    norm_naive = copy.deepcopy(norm)
    y = torch.stack([conv(frame) for frame in x])
    y = norm_naive(y.flatten(0, 1)).unflatten(0, y.shape[:2])
    spikes, lif_state = lif(y)
    y = torch.stack([linear(pool(step).flatten(1)) for step in spikes])
    y, li_state = li(y)
    out, states = net(x)
    equal(out, y, rtol=1e-5, atol=1e-6)
    equal([states[2], states[6]], [lif_state, li_state], rtol=1e-5, atol=1e-6)
    assert [type(s).__name__ for s in states if s is not None] == ["LIFFeedForwardState", "LIState"]
    equal(norm.running_var, norm_naive.running_var, rtol=1e-5, atol=1e-6)
    assert norm.num_batches_tracked == 1
    hidden, _ = SequentialState(*net, return_hidden=True).eval()(x)
    assert len(hidden) == 7
    assert hidden[3].shape == (6, 2, 3, 2, 2)


CALLS = [  # module, input, shape that it is called with
    (Conv2d(2, 3, 3), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (Conv2d(2, 3, 3), (5, 2, 6, 6), (5, 2, 6, 6)),
    (Conv2d(2, 3, 3), (2, 6, 6), (2, 6, 6)),
    (Conv2d(2, 3, 3), (3, 4, 5, 2, 6, 6), (60, 2, 6, 6)),
    (torch.nn.MaxPool2d(2), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (torch.nn.AdaptiveAvgPool2d(1), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (torch.nn.ConvTranspose2d(2, 3, 3), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (torch.nn.Conv1d(2, 3, 3), (4, 5, 2, 6), (20, 2, 6)),
    (torch.nn.Conv3d(2, 3, 3), (5, 2, 6, 6, 6), (5, 2, 6, 6, 6)),
    (torch.nn.Conv3d(2, 3, 3), (4, 5, 2, 6, 6, 6), (20, 2, 6, 6, 6)),
    (torch.nn.BatchNorm1d(4), (3, 5, 4, 6), (15, 4, 6)),
    (torch.nn.Dropout2d(), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (torch.nn.Sequential(torch.nn.ReLU(), Conv2d(2, 3, 3), Flatten()), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
    (torch.nn.Sequential(Linear(6, 6), Linear(6, 3)), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (Linear(6, 3), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (torch.nn.ReLU(), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (Flatten(2), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (LConv2d(2, 3, 3), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (type("Own2d", (torch.nn.Identity,), {})(), (4, 5, 2, 6, 6), (4, 5, 2, 6, 6)),
    (type("Mine", (Conv2d,), {})(2, 3, 3), (4, 5, 2, 6, 6), (20, 2, 6, 6)),
]


@pytest.mark.parametrize(("module", "given", "seen"), CALLS, ids=lambda v: type(v).__name__)
def test_time_is_folded_into_the_batch_in_one_call(module, given, seen):
    calls = []
    module.register_forward_pre_hook(lambda _, args: calls.append(tuple(args[0].shape)))
    out, _ = SequentialState(module)(uniform(*given))
    assert calls == [seen]
    assert given == seen or out.shape[: len(given) - len(seen) + 1] == given[: len(given) - len(seen) + 1]


def test_no_steps_and_tuples_go_through_the_fold():
    assert SequentialState(Conv2d(2, 3, 3))(torch.ones(0, 5, 2, 6, 6))[0].shape == (0, 5, 3, 4, 4)
    pooled, indices = SequentialState(torch.nn.MaxPool2d(2, return_indices=True))(uniform(4, 5, 2, 6, 6))[0]
    assert pooled.shape == indices.shape == (4, 5, 2, 3, 3)


def test_editing_and_nesting():
    lif, linear = LIF(), Linear(1, 1)
    net = SequentialState(OrderedDict(a=linear, b=lif), return_hidden=True)
    assert next(iter(net.state_dict())) == "a.weight"
    part = net[1:]
    assert (type(part), part[0], part.return_hidden) == (SequentialState, lif, True)
    net = SequentialState(linear, lif)
    net.append(LI()).insert(0, Own())
    net.extend([Linear(1, 2)])
    assert net.stateful_layers == [True, False, True, True, False]
    net.pop(0)
    net[1] = LIFRecurrent(1, 1)
    del net[2]
    assert [key for key in net.state_dict() if ".p." not in key] == [
        "0.weight", "0.bias", "1.input_weights", "1.recurrent_weights", "2.weight", "2.bias"
    ]  # fmt: skip
    x = uniform(5, 2, 1)
    flat, nested = SequentialState(linear, lif, LI()), SequentialState(linear, SequentialState(lif, LI()))
    out, states = flat(x)
    inner_out, inner = nested(x)
    equal((out, states[1:]), (inner_out, inner[1]))
    equal(nested(x, inner), flat(x, states))


@tracing
def test_compiled_children_keep_their_state():
    net = SequentialState(torch.compile(LIFCell(), backend="eager"), torch.compile(Linear(1, 1), backend="eager"))
    assert net.stateful_layers == [True, False]
    assert net(torch.ones(2, 1))[1][0].v.shape == (2, 1)


def test_resets_reach_every_child_that_takes_them():
    net = SequentialState(Linear(1, 2), SequentialState(LIF(), Own()), LI())
    x = 3 * uniform(8, 3, 1)
    mask = torch.zeros(8, 3, dtype=torch.bool)
    mask[5, 1] = True
    out, states = net(x, reset=mask)
    whole, _ = net(x)
    tail, fresh = net(x[5:, 1])
    equal(out[:, [0, 2]], whole[:, [0, 2]], rtol=1e-6, atol=1e-6)
    equal(out[5:, 1], tail, rtol=1e-6, atol=1e-6)
    equal(states[2].v[1], fresh[2].v, rtol=1e-6, atol=1e-6)


def test_state_hooks():
    net, seen = SequentialState(Linear(1, 1), LIF(), LI()), []
    net.register_forward_state_hooks(lambda module, input, output: seen.append((type(module).__name__, len(output))))
    with pytest.raises(ValueError, match="remove_forward_state_hooks"):
        net.register_forward_state_hooks(print)
    net(F.float())
    net.remove_forward_state_hooks()
    net(F.float())
    assert seen == [("LIF", 2), ("LI", 2)]
    net.register_forward_state_hooks(print)


def test_mixes_cells_lifts_and_rnns():
    assert SequentialState(Lift(LIFCell()), Linear(1, 1))(torch.ones(3, 2, 1))[0].shape == (3, 2, 1)
    net = SequentialState(torch.nn.GRU(2, 3), LIF(), torch.nn.LSTM(3, 2))
    out, states = net(uniform(4, 5, 2))
    assert out.shape == (4, 5, 2)
    second, _ = net(uniform(4, 5, 2, seed=1), states)
    both, _ = net(torch.cat([uniform(4, 5, 2), uniform(4, 5, 2, seed=1)]))
    equal(second, both[4:], rtol=1e-5, atol=1e-6)


# --- RecurrentSequential ---


@pytest.mark.parametrize(
    ("index", "spikes", "ends"),
    [
        (-1, [15], (2.290309, 2.756573, 0.423605)),
        (0, [11, 14, 16, 17], (12.318986, 25.389817, 0)),
        ([0, 1], [11, 14, 16, 17], (13.160874, 27.936249, 0)),
    ],
)
def test_feedback_reference(index, spikes, ends):
    module = RecurrentSequential(LICell(), LIFBoxCell(), output_modules=index)
    fired, state = [], None
    module.module[1].register_forward_hook(lambda _, __, output: fired.append(output[0].item()))
    for x in F:
        _, state = module(x, state)
    assert [t for t, z in enumerate(fired) if z] == spikes
    li, box = state.state
    assert (li.v.item(), li.i.item(), box.v.item()) == pytest.approx(ends, abs=1e-6)
    assert type(state) is RecurrentSequentialState
    equal(Lift(RecurrentSequential(LICell(), LIFBoxCell(), output_modules=index))(F)[1], state)


def test_feedback_reset_and_errors():
    module = stack().lifted_module
    x = 3 * uniform(2, 3)
    _, state = module(x)
    _, state = module(x, state)
    fresh, _ = module(x[1:])
    again, _ = module(x, state, reset=torch.tensor([False, True]))
    kept, _ = module(x, state)
    equal([y[1:] for y in again], fresh, rtol=1e-6, atol=1e-6)
    equal([y[:1] for y in again], [y[:1] for y in kept], rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match=r"the shape \(2, 3\), but an output that is fed back has \(2, 4\)"):
        RecurrentSequential(Linear(3, 4))(x)
    with pytest.raises(ValueError, match="indices of the 1 modules"):
        RecurrentSequential(Linear(3, 3), output_modules=1)


# --- RegularizationCell ---


def accumulated(cell, steps=F):
    lif, state = LIFCell(), None
    for x in steps:
        z, state = lif(x, state)
        passed, value = cell(z, state)
        assert passed is z
    return value


def test_regularization_reference():
    assert accumulated(RegularizationCell()).item() == 2
    voltage = RegularizationCell(voltage_accumulator)
    assert accumulated(voltage).item() == pytest.approx(8.399741, abs=1e-6)
    assert accumulated(voltage).item() == pytest.approx(2 * 8.399741, abs=1e-6)
    voltage.reset_state()
    assert accumulated(voltage).item() == pytest.approx(8.399741, abs=1e-6)
    refractory = LIFRefracCell(LIFRefracParameters())(F[0])
    assert voltage_accumulator(*refractory, None).shape == (1,)
    with pytest.raises(ValueError, match="tuple has no voltage v"):
        voltage_accumulator(torch.ones(1), (), None)


def test_regularization_pure_form_and_training():
    cell = RegularizationCell()
    assert cell(torch.ones(3), None, 4)[1] == 7
    assert cell.state is None
    linear = Linear(1, 4)
    for _ in range(2):
        reset_states(torch.nn.ModuleList([cell]))
        value = accumulated(cell, linear(F.float()) * 5)
        value.backward()
    assert linear.weight.grad.any()
    other = pickle.loads(pickle.dumps(copy.deepcopy(cell)))
    assert other.state == value
    assert not other.state.requires_grad
    cell.detach_state()
    assert cell.state == value
    assert not cell.state.requires_grad
    assert cell.state_dict() == {}
    assert RegularizationCell(lambda z, s, state: "mine")(torch.ones(1), None)[1] == "mine"
    assert spike_accumulator(torch.ones(2), None) == 2


# --- LConv2d ---


def test_convolution_reference():
    conv = LConv2d(2, 3, (2, 3), dtype=torch.float64)
    o, c, i, j = torch.meshgrid(*(torch.arange(n) for n in (3, 2, 2, 3)), indexing="ij")
    conv.load_state_dict({"weight": ((o + 1) * (c + 1) * (i + 1) - j).double()})
    t, n, c, y, x = torch.meshgrid(*(torch.arange(n) for n in (3, 2, 2, 4, 5)), indexing="ij")
    out = conv(((t + 1) * y * x + n - c).double())
    assert (out.shape, out.sum()) == ((3, 2, 3, 3, 3), 41310)
    assert out[0, 0, 0].tolist() == [[-4, 8, 20], [3, 30, 57], [10, 52, 94]]
    assert out[2, 1, 2].tolist() == [[153, 297, 441], [336, 687, 1038], [519, 1077, 1635]]
    assert conv.state_dict()["weight"].shape == (3, 2, 2, 3, 1)
    assert conv(torch.ones(0, 2, 2, 4, 5).double()).shape == (0, 2, 3, 3, 3)


@pytest.mark.parametrize(
    "options",
    [{"stride": (1, 2), "padding": 1}, {"padding": "same", "dilation": 2}, {"padding": "valid", "groups": 2}],
    ids=str,
)
def test_convolution_is_that_of_every_frame(options):
    conv = LConv2d(4, 6, (3, 2), **options)
    x = uniform(3, 2, 4, 7, 8)
    plain = Conv2d(4, 6, (3, 2), bias=False, **options)
    plain.load_state_dict({"weight": conv.weight[..., 0]})
    equal(conv(x), torch.stack([plain(frame) for frame in x]), rtol=1e-5, atol=1e-6)
    bound = (4 / options.get("groups", 1) * 6) ** -0.5
    assert 0.8 * bound < conv.weight.abs().max() <= bound


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((0, 1, 1), "in_channels"),
        ((2, 3, 1, 1, 0, 1, 2), "out_channels must be an integer >= 1 that groups=2 divides, not 3"),
        ((2, 2, 1, 1, 0, 1, 0), "groups must be"),
        ((2, 2, 0), "kernel_size must be an integer >= 1 or a pair"),
        ((2, 2, (1, 2, 3)), "kernel_size"),
        ((2, 2, 1, 2, "same"), 'with stride 1 "same"'),
        ((2, 2, 1, 1, "full"), "padding"),
        ((2, 2, 1, 1, -1), "padding must be an integer >= 0"),
    ],
)
def test_convolution_refuses_bad_sizes(args, message):
    with pytest.raises(ValueError, match=message):
        LConv2d(*args)


def test_convolution_refuses_other_ranks():
    with pytest.raises(ValueError, match=r"axes must be \(T, N, C, H, W\)"):
        LConv2d(1, 1, 1)(torch.ones(1, 1, 2, 2))


# --- all ---


@pytest.mark.parametrize("name", MODULES)
def test_modules_copy_pickle_and_load(name):
    make, drive = MODULES[name]
    module, x = make().eval(), drive()
    copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module)), make().eval()]
    copies[2].load_state_dict(module.state_dict())
    out = module(x)
    for other in copies:
        equal(other(x), out)
    assert {leaf.dtype for leaf in tree_leaves(module.double()(x.double())) if leaf is not None} == {torch.float64}


@tracing
@pytest.mark.parametrize("name", MODULES)
def test_modules_compile_whole(name):
    make, drive = MODULES[name]
    module, x = make(), drive()
    compiled = torch.compile(make(), fullgraph=True, backend="eager")
    compiled.load_state_dict({f"_orig_mod.{key}": value for key, value in module.state_dict().items()})
    equal(compiled(x), module(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_modules_train_twice_after_evaluation(name):
    make, drive = MODULES[name]
    module, x = make(), drive()
    module.eval()(x)
    for _ in range(2):
        reset_states(module.train())
        leaf = x.clone().requires_grad_()
        sum(y.sum() for y in tree_leaves(module(leaf)) if y is not None).backward()
        assert leaf.grad.isfinite().all()
        assert leaf.grad.any()


def test_names_of_foreign_state_dicts():
    assert set(stack().state_dict()) >= {"lifted_module.module.0.weight", "lifted_module.module.0.bias"}
    assert {"0.weight", "5.bias"} <= set(network().state_dict())
    norse = {"lifted_module.module.0.weight": torch.ones(3, 3), "lifted_module.module.0.bias": torch.zeros(3)}
    stack().load_state_dict(norse)


def test_a_network_learns():
    torch.manual_seed(0)
    net = SequentialState(Linear(4, 8), LIF(), Linear(8, 2), LI())
    x = torch.eye(4)[[0, 1]].expand(30, 2, 4)
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(net(10 * x)[0].amax(0), torch.tensor([0, 1]))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_delays_on_a_gpu_are_those_of_the_convolution(bias):
    draw = torch.Generator().manual_seed(0)
    x, kernel, shift = (
        torch.randn(shape, generator=draw, dtype=torch.float64, requires_grad=True)
        for shape in ((7, 2, 3), (4, 3, 5), 4)
    )
    arguments = x, kernel, shift if bias else None
    expected = torch.nn.functional.conv1d(x.permute(1, 2, 0), kernel, arguments[2]).permute(2, 0, 1)
    assert torch.allclose(delays._OverTime.apply(*arguments), expected)
    assert torch.autograd.gradcheck(delays._OverTime.apply, arguments)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_delays_on_a_gpu_are_those_on_a_cpu(dtype, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    layer, x = delays.DelayLinear(20, 30, max_delay=6), torch.randn(40, 16, 20)
    layer.anneal(0.1)
    found = []
    for device in ("cpu", "cuda"):
        layer.to(device).zero_grad()
        own = x.detach().to(device).requires_grad_()
        with torch.autocast("cuda", dtype, enabled=dtype == torch.bfloat16):
            y = layer(own)[0]
        assert device == "cpu" or y.dtype == dtype
        y.backward(torch.linspace(0.5, 1.5, y.numel(), device=device).reshape(y.shape).to(y.dtype))
        found.append([v.detach().cpu().float() for v in (y, own.grad, *(p.grad for p in layer.parameters()))])
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() <= (1e-5 if dtype == torch.float32 else 2e-2) * one.norm()


def test_an_exported_network_goes_through_a_file(tmp_path):
    net = SequentialState(Linear(3, 3), LIFCell(), RecurrentSequential(Linear(3, 3), LIFCell()))
    x = 9 * uniform(2, 3)
    torch.export.save(torch.export.export(net, (x,)), tmp_path / "net.pt2")
    output, state = torch.export.load(tmp_path / "net.pt2").module()(x)
    expected, last = net(x)
    torch.testing.assert_close(output, expected)
    assert type(state[2]) is type(last[2])
