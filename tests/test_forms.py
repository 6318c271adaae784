"""Laws that every neuron class obeys, whatever its model, form and backend."""

import copy
import inspect
import io
import os
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._pytree import tree_leaves, tree_map

import eventsnn.forms as forms
import eventsnn.functional as functional
import eventsnn.neurons as neurons
from eventsnn import scan
from eventsnn.neurons import MODELS

GAIN = {"LIBox": 2, "IAF": 0.5, "LIFBox": 6, "CobaLIF": 0.15, "Izhikevich": 60}  # inputs that make some spikes
T, B, IN, H = 7, 2, 2, 3


def names_of(model):
    cell, recurrent = model.cells or (f"{model.name}Cell", f"{model.name}RecurrentCell")
    return cell, model.name, recurrent, f"{model.name}Recurrent"


CLASSES = {name: model for model in MODELS for name in names_of(model)} | dict.fromkeys(
    ("LILinearCell", "LILinear"), MODELS[0]
)
LAYERS = [name for name in CLASSES if getattr(forms, name).over_time]
CELLS = [name for name in CLASSES if not getattr(forms, name).over_time]
WEIGHTED = [name for name in CLASSES if "input_size" in inspect.signature(getattr(forms, name)).parameters]
RECURRENT = [name for name in WEIGHTED if getattr(forms, name).recurrent]


def make(name, **kwargs):
    """A module of that class with small sizes, the same for the same arguments."""
    torch.manual_seed(0)
    cls, wanted = getattr(forms, name), inspect.signature(getattr(forms, name)).parameters
    kwargs |= {"spiking_method": neurons.tonic_spiking} if "spiking_method" in wanted else {}
    kwargs |= {"input_size": IN} if "input_size" in wanted else {}
    return cls(**({"hidden_size": H} if "hidden_size" in wanted else {}), **kwargs)


def drive(name, *shape, dtype=torch.float64, seed=1):
    """An input for that class: uniform, scaled so that the model spikes now and then."""
    width = IN if name in WEIGHTED else H
    gain = GAIN.get(CLASSES[name].name, 1.0)
    return (gain * 2 * torch.rand(*shape, width, generator=torch.Generator().manual_seed(seed))).to(dtype)


def equal(a, b, exact=True):
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True):
        torch.testing.assert_close(x, y, equal_nan=True, **({"rtol": 0, "atol": 0} if exact else {}))


def layer_and_cell(name):
    """A layer and a cell of the same model with the same weights."""
    cell = dict(zip(LAYERS, CELLS, strict=True))[name]
    a, b = make(name).double(), make(cell).double()
    b.load_state_dict(a.state_dict())
    return a, b


def test_every_model_is_listed_with_its_forms():
    more = {"SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell", "CobaLIFCell", "norse_state_dict"}
    assert set(CLASSES) | more == set(forms.__all__)
    assert forms.CobaLIFCell is forms.CobaLIFRecurrentCell
    for name in CLASSES:
        cls = getattr(forms, name)
        assert (cls.__name__, cls.__module__, cls.is_stateful) == (name, "eventsnn.forms", True)
    for module in (functional, neurons, forms):
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_its_cell_step_by_step(name):
    layer, cell = layer_and_cell(name)
    x = drive(name, T, B)
    outputs, state = [], None
    for x_t in x:
        out, state = cell(x_t, state)
        outputs.append(out)
    equal((torch.stack(outputs), state), layer(x), exact=False)
    assert torch.stack(outputs).any()


@pytest.mark.parametrize("name", CLASSES)
def test_shapes_dtypes_and_memory(name):
    module = make(name)
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        x = drive(name, T, B, dtype=dtype)
        out, state = module(x)
        assert (out.shape, out.dtype) == ((T, B, H), dtype)
        for start, field in zip(tree_leaves(module.initial_state(x)), tree_leaves(state), strict=True):
            assert start.shape == field.shape == ((B, H) if name in LAYERS else (T, B, H))
            assert start.dtype == field.dtype == dtype
        tensors = [out, *tree_leaves(state), *tree_leaves(module.initial_state(x)), *module.state_dict().values()]
        assert len({t.untyped_storage().data_ptr() for t in tensors}) == len(tensors)
    for dtype in (torch.bool, torch.int64):
        assert module((x > 0.5).to(dtype))[0].dtype == torch.float32
    small = torch.rand(IN if name in WEIGHTED else H)
    if name in CELLS:
        assert module(small)[0].shape == (H,)
    if name in CELLS and name not in WEIGHTED and not CLASSES[name].coupled:
        assert module(torch.tensor(0.3))[0].shape == ()


@settings(deadline=None, max_examples=25)
@given(shape=st.lists(st.integers(0, 3), max_size=4).map(tuple), steps=st.integers(0, 3))
def test_any_shape_even_an_empty_one(shape, steps):
    x = torch.rand(steps, *shape)
    for name in ("LI", "LIFRefrac"):
        out, state = make(name)(x)
        assert out.shape == x.shape
        assert {leaf.shape for leaf in tree_leaves(state)} == {shape}
    weighted = make("LIFRecurrent")
    out, state = weighted(torch.rand(steps, *shape, IN))
    assert out.shape == (steps, *shape, H)
    assert state.v.shape == (*shape, H)


@pytest.mark.parametrize("name", LAYERS)
def test_one_run_is_two_with_the_state_carried(name):
    layer, x = make(name).double(), drive(name, T, B)
    whole, end = layer(x)
    first, middle = layer(x[:3])
    second, last = layer(x[3:], middle)
    equal((whole, end), (torch.cat([first, second]), last), exact=name not in WEIGHTED)


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_states_end_with_the_final_state(name):
    recorded, plain = make(name, record_states=True).double(), make(name).double()
    x = drive(name, T, B)
    out, states = recorded(x)
    want, final = plain(x)
    assert type(states) is type(final)
    equal((out, tree_map(lambda s: s[-1], states)), (want, final))
    equal(tree_map(lambda s: s[2], states), plain(x[:3])[1], exact=name not in WEIGHTED)
    empty, states = recorded(x[:0])
    assert [len(s) for s in (empty, *tree_leaves(states))] == [0] * (1 + len(tree_leaves(final)))


@pytest.mark.parametrize("name", LAYERS)
def test_no_steps_leave_the_state_as_it_is(name):
    layer, x = make(name).double(), drive(name, T, B)
    out, state = layer(x[:0])
    assert out.shape == (0, B, H)
    equal(state, layer.initial_state(x))
    _, state = layer(x)
    equal(layer(x[:0], state)[1], state)


@pytest.mark.parametrize("name", CLASSES)
def test_batch_entries_are_independent(name):
    module, x = make(name).double(), drive(name, T, 4)
    out, state = module(x)
    order = torch.tensor([2, 0, 3, 1])
    out2, state2 = module(x[:, order])
    axis = 0 if name in LAYERS else 1
    equal((out2, state2), (out[:, order], tree_map(lambda s: s.index_select(axis, order), state)), exact=False)


@pytest.mark.parametrize("name", CLASSES)
def test_the_output_depends_on_the_input(name):
    module, x = make(name).double(), drive(name, T, B).requires_grad_()
    out = module(x)[0]
    if name in CELLS and ("LSNN" in name or "MCRefrac" in name):
        out = module(x, module(x)[1])[0]  # the input acts one step later
    assert torch.autograd.grad(out.sum(), x)[0].any()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", CELLS)
def test_bad_numbers_stay_in_their_own_entry(name, value):
    module, x = make(name).double(), drive(name, 3)
    state = tree_map(lambda s: s.requires_grad_(), module.initial_state(x))
    bad = tree_map(lambda s: torch.cat([s[:1].detach(), torch.full_like(s[1:2], value), s[2:]]).requires_grad_(), state)
    for given_state in (state, bad):
        _, middle = module(x, given_state)
        out, final = module(x, middle)
        loss = out[::2].sum() + sum(leaf[::2].sum() for leaf in tree_leaves(final))
        grads = torch.autograd.grad(loss, [s for s in tree_leaves(given_state)], allow_unused=True)
        got = [v[::2] for v in (out, *tree_leaves(final), *(g for g in grads if g is not None))]
        if given_state is state:
            want = got
    equal(got, want)


@pytest.mark.parametrize("name", CLASSES)
def test_reset_puts_entries_back_to_the_start(name):
    module, x = make(name).double(), drive(name, T, B)
    if name in CELLS:
        _, state = module(x[0])
        equal(module(x[1], state, reset=torch.tensor([True, True])), module(x[1]))
        mixed = module(x[1], state, reset=torch.tensor([True, False]))
        fresh, kept = module(x[1]), module(x[1], state)
        equal(tree_map(lambda m: m[0], mixed), tree_map(lambda m: m[0], fresh), exact=False)
        equal(tree_map(lambda m: m[1], mixed), tree_map(lambda m: m[1], kept), exact=False)
        return
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4, 0] = True
    out, state = module(x, reset=reset)
    plain, end = module(x)
    again, end_again = module(x[4:])
    equal(out[:, 1], plain[:, 1], exact=False)
    equal(tree_map(lambda s: s[1], state), tree_map(lambda s: s[1], end), exact=False)
    equal(out[:4, 0], plain[:4, 0], exact=False)
    equal(out[4:, 0], again[:, 0], exact=False)
    equal(tree_map(lambda s: s[0], state), tree_map(lambda s: s[0], end_again), exact=False)


def test_reset_in_the_middle_of_a_run():
    x = (0.3 * (torch.arange(18) % 5)).double()
    reset = torch.arange(18) == 10
    z, state = forms.LIF()(x, reset=reset)
    assert z.nonzero().flatten().tolist() == [8]
    assert state.v.item() == pytest.approx(0.885482, abs=1e-6)
    assert state.i.item() == pytest.approx(1.678633, abs=1e-6)


@pytest.mark.parametrize("name", CLASSES)
def test_copies_and_files(name):
    module, x = make(name, learnable=()), drive(name, T, B, dtype=torch.float32)
    want = module(x)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    other = make(name)
    with torch.no_grad():
        for value in other.state_dict().values():
            value.add_(1)
    other.load_state_dict(module.state_dict())
    copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False), other]
    for same in copies:
        equal(same(x), want)
    equal(pickle.loads(pickle.dumps(want[1])), want[1])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch, while it traces
@pytest.mark.parametrize("name", CLASSES)
def test_compiles_as_one_graph(name):
    module, x = make(name), drive(name, 2, B, dtype=torch.float32)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    equal(compiled(x), module(x), exact=False)


@pytest.mark.parametrize("name", CLASSES)
def test_autocast_runs_and_keeps_the_dtype(name):
    module, x = make(name), drive(name, T, B, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, state = module(x)
    assert out.dtype == torch.float32
    assert {s.dtype for s in tree_leaves(state)} == {torch.float32}


@pytest.mark.parametrize("name", RECURRENT)
def test_weights_of_recurrent_forms(name):
    given = torch.ones(H, H)
    autapses = CLASSES[name].autapses
    module = make(name, recurrent_weights=given)
    assert given.diagonal().tolist() == [1, 1, 1]
    assert module.recurrent_weights.diagonal().tolist() == [float(autapses)] * H
    module = copy.deepcopy(make(name, autapses=False).double())
    with torch.no_grad():
        module.recurrent_weights.copy_(torch.rand(H, H))
    layer = name in LAYERS
    x = drive(name, T, B) if layer else drive(name, B)
    state = module.initial_state(x)
    state = tree_map(lambda s: s + torch.rand(s.shape, generator=torch.Generator().manual_seed(2)), state)
    out, final = module(x, state)
    (out.sum() + sum(s.sum() for s in tree_leaves(final))).backward()
    grad = module.recurrent_weights.grad
    assert grad.diagonal().tolist() == [0, 0, 0]
    assert grad.any()
    shared = torch.nn.Parameter(torch.zeros(H, IN))
    assert make(name, input_weights=shared).input_weights is shared
    with pytest.warns(UserWarning, match="diagonal"):
        make(name, autapses=False).load_state_dict(module.state_dict())


INTERPRETED = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs TRITON_INTERPRET=1")


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=INTERPRETED)])
@pytest.mark.parametrize("name", LAYERS)
def test_backends_agree_with_the_loop(name, backend):
    def run(used, dtype):
        layer, x = make(name).to(dtype), drive(name, T, B, dtype=dtype).requires_grad_()
        for field, value in list(layer.p.named_buffers()):
            if field.rsplit(".")[-1] not in ("alpha", "rho_reset"):  # gradients towards every parameter
                holder = layer.p.get_submodule(field.rpartition(".")[0])
                leaf = field.rpartition(".")[2]
                delattr(holder, leaf)
                holder.register_parameter(leaf, torch.nn.Parameter(value))
        start = tree_map(lambda s: (s + 0.1).requires_grad_(), layer.initial_state(x))
        with scan.backend(used):
            out, state = layer(x, start)
        values = (out, *tree_leaves(state))
        loss = sum((v * torch.arange(v.numel(), dtype=dtype).reshape(v.shape).cos()).sum() for v in values)
        inputs = [x, *tree_leaves(start), *layer.parameters()]
        return values, torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)

    both = (torch.float64, torch.float32)
    for dtype in both if name == "LIF" else both[backend == "triton" :][:1]:
        got, want = run(backend, dtype), run("loop", dtype)
        equal(got[0], want[0], exact=name not in WEIGHTED and "Ex" not in name)
        equal(got[1], want[1], exact=False)


@pytest.mark.parametrize("name", ["LIF", "LIFAdExRefrac", "Izhikevich"])
def test_backends_agree_under_resets(name):
    layer, x = make(name).double(), drive(name, T, B)
    reset = torch.rand(T, B, generator=torch.Generator().manual_seed(3)) < 0.3
    results = []
    for backend in ("loop", "cpu"):
        y = x.clone().requires_grad_()
        with scan.backend(backend):
            out, state = layer(y, reset=reset)
        loss = sum((leaf**2).sum() for leaf in (out, *tree_leaves(state)))
        results.append((out, state, torch.autograd.grad(loss, y)))
    equal(*results, exact=False)


def test_parameters_are_copied_buffers_under_their_names():
    th = torch.full((H,), 0.5)
    layer = forms.LIF(neurons.LIFParameters(v_th=th, v_leak=torch.zeros(H, 1)))
    th.fill_(9)
    assert layer.p.v_th.tolist() == [0.5] * H
    assert not list(layer.parameters())
    assert {f"p.{f}" for f in ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset", "alpha")} == set(
        layer.state_dict()
    )
    assert (layer.p.method, layer.p.tau_mem_inv) == ("super", 100)
    refrac = forms.LIFRefrac()
    assert (refrac.p.lif.v_th, type(refrac.p.tuple())) == (1, neurons.LIFRefracParameters)
    assert (layer.float().p.tau_mem_inv.dtype, layer.double().p.tau_mem_inv.dtype) == (torch.float32, torch.float64)
    layer = forms.LIF(neurons.LIFParameters(v_th=0.1))
    assert (layer.p.v_th.item(), layer.p.v_th.dtype, layer.p.tau_mem_inv.dtype) == (0.1, torch.float64, torch.float32)
    layer._apply(lambda t: (_ for _ in ()).throw(TypeError) if t.dtype == torch.float64 else t)
    assert layer.p.v_th.dtype == torch.float32  # a device without float64


@pytest.mark.parametrize("name", LAYERS)
def test_every_field_may_differ_between_neurons(name):
    x = drive(name, T, B)
    module, many = make(name).double(), make(name).double()
    for path, value in list(many.p.named_buffers()):
        holder, _, leaf = path.rpartition(".")
        setattr(many.p.get_submodule(holder), leaf, value.expand(H).clone())
    equal(many(x), module(x))


def test_learnable_rates_stay_stable_and_positive_values_positive():
    cell = forms.LIFExCell(learnable=("tau_mem_inv", "delta_T", "v_th"))
    assert set(dict(cell.named_parameters())) == {"p.raw_tau_mem_inv", "p.raw_delta_T", "p.v_th"}
    assert cell.p.tau_mem_inv.item() == pytest.approx(100)
    assert cell.p.delta_T.item() == pytest.approx(0.5)
    with torch.no_grad():
        for value in cell.parameters():
            value.add_(50)
    assert 0 < 0.001 * cell.p.tau_mem_inv.item() <= 1
    assert cell.p.delta_T.item() > 0
    optimizer = torch.optim.SGD(forms.LIF(learnable=("tau_mem_inv",)).parameters(), 1.0)
    assert len(optimizer.param_groups[0]["params"]) == 1
    one = forms.LIF(neurons.LIFParameters(tau_mem_inv=1000.0), learnable=("tau_mem_inv",))
    assert one.p.tau_mem_inv.item() == pytest.approx(1000, rel=2e-6)
    nested = forms.LIFRefrac(learnable=("lif.v_th", "tau_syn_inv"))
    assert set(dict(nested.named_parameters())) == {"p.lif.v_th", "p.lif.raw_tau_syn_inv"}


@pytest.mark.parametrize("name", LAYERS)
def test_learnable_parameters_are_the_same_values_and_get_gradients(name):
    fixed = make(name).double()
    fields = [path.rpartition(".")[2] for path, _ in fixed.p.named_buffers()]
    learnable = [f for f in fields if f not in ("alpha", "rho_reset")]
    module, x = make(name, learnable=learnable).double(), drive(name, T, B)
    module.load_state_dict(fixed.state_dict())
    equal(module(x), fixed(x), exact=False)
    out, state = module(x)
    sum(v.sum() for v in (out, *tree_leaves(state))).backward()
    for path, value in module.p.named_parameters():
        assert value.grad is not None, path
        assert torch.isfinite(value.grad).all(), path
    fixed.load_state_dict(module.state_dict())
    equal(module(x), fixed(x), exact=False)


def test_a_torch_parameter_in_the_tuple_is_used_itself():
    th = torch.nn.Parameter(torch.tensor(0.8))
    rate = torch.nn.Parameter(torch.tensor(100.0))
    layer = forms.LIF(neurons.LIFParameters(v_th=th, tau_mem_inv=rate), learnable=("v_th",))
    assert layer.p.v_th is th
    assert layer.p.tau_mem_inv is rate
    layer(torch.rand(9, 3))[0].sum().backward()
    assert th.grad is not None


def test_norse_state_dicts_load_and_are_written():
    source = make("LIFMCRecurrent")
    plain = forms.norse_state_dict(source)
    assert set(plain) == {"input_weights", "recurrent_weights", "g_coupling"}
    target = make("LIFMCRecurrent", p=neurons.LIFParameters(v_th=0.7), learnable=("tau_mem_inv",))
    target.load_state_dict(plain)
    assert target.p.v_th.item() == pytest.approx(0.7)
    forms.LIF().load_state_dict({})
    net = torch.nn.Sequential(forms.LIFRefrac(), make("LIFRefracRecurrent"))
    assert set(forms.norse_state_dict(net)) == {"1.input_weights", "1.recurrent_weights"}
    net.load_state_dict(forms.norse_state_dict(net))
    for gap in ("p.rho_reset", "p.lif.v_th"):
        partial = {key: value for key, value in forms.LIFRefrac().state_dict().items() if key != gap}
        with pytest.raises(RuntimeError, match=gap):
            forms.LIFRefrac().load_state_dict(partial)
    with pytest.raises(RuntimeError, match=r"p\.lif"):
        forms.LIFRefrac().load_state_dict({"p.rho_reset": torch.tensor(5.0)})


STATES = [getattr(neurons, name) for name in neurons.__all__ if name.endswith("State")]


@pytest.mark.parametrize("kind", STATES)
def test_states_have_the_methods_of_a_tensor(kind):
    def fill(kind, value):
        nested = {"lif": neurons.LIFState, "lif_adex": neurons.LIFAdExState}
        if "FeedForward" in kind.__name__:
            nested = {"lif": neurons.LIFFeedForwardState, "lif_adex": neurons.LIFAdExFeedForwardState}
        return kind(*(fill(nested[f], value) if f in nested else torch.full((2, 3), value) for f in kind._fields))

    state, zero = fill(kind, 1.5), fill(kind, 0.0)
    for new, dtype in ((state.to(torch.float64), torch.float64), (state.float(), torch.float32), (state.cpu(), None)):
        assert type(new) is kind
        assert {s.dtype for s in tree_leaves(new)} == {dtype or torch.float32}
    mixed = state.reset(torch.tensor([True, False]), zero)
    assert all(s.tolist() == [[0, 0, 0], [1.5, 1.5, 1.5]] for s in tree_leaves(mixed))
    wide = state.broadcast(torch.empty(4, 2, 3))
    assert {s.shape for s in tree_leaves(wide)} == {(4, 2, 3)}
    clone = state.clone()
    tree_leaves(clone)[0].zero_()
    assert tree_leaves(state)[0].all()
    graph = tree_map(lambda s: s.requires_grad_(), state)
    assert not any(s.requires_grad for s in tree_leaves(graph.detach()))
    equal(pickle.loads(pickle.dumps(mixed)), mixed)


def test_states_may_be_numbers_or_broadcast():
    cell, x = forms.LIFCell(), torch.rand(2, 3)
    want = cell(x, neurons.LIFFeedForwardState(torch.full((2, 3), 0.5), torch.zeros(2, 3)))
    for v, i in ((0.5, 0), (torch.tensor(0.5), torch.zeros(3)), (torch.full((2, 1), 0.5), 0.0)):
        equal(cell(x, neurons.LIFFeedForwardState(v, i)), want)


@pytest.mark.parametrize("name", [n for n in CLASSES if n.startswith(("LIFRefrac", "LIFRec", "LIFCell")) or n == "LIF"])
def test_sparse_inputs_give_the_dense_numbers(name):
    x = drive(name, T, B) * torch.rand(T, B, IN if name in WEIGHTED else H).gt(0.6)
    dense_x, sparse_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    module = make(name).double()
    want, want_state = module(dense_x)
    got, state = module(sparse_x.to_sparse())
    assert got.is_sparse
    for (field, a), (_, b) in zip(dotted(state), dotted(want_state), strict=True):
        assert a.is_sparse == field.endswith("z")
        equal(a.to_dense(), b)
    equal(got.to_dense(), want)
    weight = torch.rand_like(want)
    (got.to_dense(masked_grad=False) * weight).sum().backward()
    (want * weight).sum().backward()
    equal(sparse_x.grad, dense_x.grad)
    if name in CELLS:
        equal(tree_map(torch.Tensor.to_dense, module(x.to_sparse(), state)[1]), module(x, want_state)[1])


def test_other_classes_refuse_sparse_inputs_by_name():
    for name in CLASSES:
        if not CLASSES[name].sparse:
            with pytest.raises(TypeError, match=name):
                make(name)(torch.eye(3).to_sparse())


def dotted(state, path=""):
    for name, value in zip(state._fields, state, strict=True):
        if isinstance(value, tuple):
            yield from dotted(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_step_functions_are_the_cells(model):
    cells = [n for n in names_of(model) if n in CELLS]
    for name in (*cells, *(["LILinearCell"] if model.name == "LI" else [])):
        module, x = make(name).double(), drive(name, B)
        prefix = model.prefix
        regular = (
            "step" if name not in RECURRENT or not hasattr(functional, f"{prefix}_recurrent_step") else "recurrent_step"
        )
        step = getattr(functional, f"{prefix}_{regular if name in WEIGHTED else 'feed_forward_step'}")
        weights = [
            getattr(module, w) for w in ("input_weights", "recurrent_weights", "g_coupling") if hasattr(module, w)
        ]
        state = module.initial_state(x)
        want = module(x, state)
        plain = neurons.tonic_spiking.p if model.presets else model.parameters()
        equal(step(x, state, *weights, plain), want)
        equal(step(x, state, *weights, module.p, 0.001), want)
        assert step.__name__ in functional.__all__

        many = torch.stack([x, 2 * x, 3 * x])
        got = torch.func.vmap(lambda one, f=step, rest=(state, *weights, plain): f(one, *rest))(many)
        equal(tree_map(lambda g: g[1], got), step(2 * x, state, *weights, plain), exact=False)

        x = x.requires_grad_()
        start = tree_map(lambda s: s.clone().requires_grad_(), state)
        out, new = step(x, start, *weights, plain)
        first = torch.autograd.grad(sum((v**2).sum() for v in (out, *tree_leaves(new))), [x, *tree_leaves(start)],
                                    create_graph=True, allow_unused=True)  # fmt: skip
        second = torch.autograd.grad(sum((g**2).sum() for g in first if g is not None and g.requires_grad), x)
        assert torch.isfinite(second[0]).all()


def test_functional_names_over_time():
    x = (0.3 * (torch.arange(18) % 5)).double()
    equal(functional.lif_feed_forward_integral(x, None), forms.LIF()(x))
    layer, y = make("LIFRecurrent").double(), drive("LIFRecurrent", T, B)
    equal(functional.lif_step_integral(y, None, layer.input_weights, layer.recurrent_weights), layer(y))
    equal(functional.lift(functional.lif_feed_forward_step)(x), forms.LIF()(x))
    equal(functional.lift(forms.LIFCell())(x), forms.LIF()(x))
    slow = neurons.LIFParameters(tau_mem_inv=50.0)
    equal(functional.lift(functional.lif_feed_forward_step, slow)(x), forms.LIF(slow)(x))
    assert functional.lift(forms.LIFCell())(x[:0])[0].shape == (0,)
    z, _ = functional.lif_step_sparse(y[0], None, layer.input_weights, layer.recurrent_weights)
    assert z.is_sparse
    z, state = functional.lif_refrac_step_sparse(y[0].to_sparse(), None, layer.input_weights, layer.recurrent_weights)
    assert z.is_sparse
    assert state.lif.z.is_sparse


def test_ada_lif_step():
    steps = torch.arange(18)
    x = torch.stack([1 - steps % 2, (steps % 3) / 2], 1).double()
    w = torch.tensor([[0.93, 0.51], [1.17, -0.32], [0.44, 1.03]]).double()
    r = torch.tensor([[0, 0.53, -0.41], [-0.64, 0, 0.35], [0.43, -0.22, 0]]).double()
    out, state = [], None
    for x_t in x:
        z, state = functional.ada_lif_step(x_t, state, w, r)
        out.append(z)
    assert [torch.stack(out)[:, n].nonzero().flatten().tolist() for n in range(3)] == [[7, 16], [10], [7, 15]]
    assert state.v.tolist() == pytest.approx([0.001743, 0.151620, -0.021964], abs=1e-6)
    assert state.b.tolist() == pytest.approx([3.575376, 1.784309, 3.573129], abs=1e-6)


def leaky_with_weights(x, state, w, r, p, dt):
    return functional.lif_step(x, state, w, r, p, dt)


def test_generic_forms_run_any_step_function():
    x, p = drive("LIF", T, B), neurons.LIFParameters()
    fallback = lambda x: neurons.LIFFeedForwardState(0.0, 0.0)  # noqa: E731
    equal(forms.SNN(functional.lif_feed_forward_step, fallback, p)(x), forms.LIF()(x))
    equal(forms.SNNCell(functional.lif_feed_forward_step, fallback, p)(x[0]), forms.LIFCell()(x[0]))
    recorded = forms.SNN(functional.lif_feed_forward_step, fallback, p, record_states=True)
    equal(recorded(x), forms.LIF(record_states=True)(x))
    zero = lambda x: neurons.LIFState(0.0, 0.0, 0.0)  # noqa: E731
    for generic, name in ((forms.SNNRecurrentCell, "LIFRecurrentCell"), (forms.SNNRecurrent, "LIFRecurrent")):
        module = make(name).double()
        weights = (module.input_weights, module.recurrent_weights)
        y = drive(name, T, B)
        same = generic(leaky_with_weights, zero, IN, H, p, *weights).double()
        equal(same(y), module(y), exact=False)
        assert isinstance(module, generic)


P, S = neurons.LIFParameters, neurons.LIFFeedForwardState
BAD = [
    (lambda: forms.LIF(dt=0), ValueError, "dt .* > 0"),
    (lambda: forms.LIF(dt=-0.001), ValueError, "dt .* > 0"),
    (lambda: forms.LIF(learnable=("v_thr",)), ValueError, "no field 'v_thr', only tau_syn_inv"),
    *((lambda f=f: forms.LIFRefrac(learnable=(f,)), ValueError, f"{f} cannot be learned")
      for f in ("alpha", "method", "rho_reset")),
    (lambda: forms.LIFBox(learnable=("reset_method",)), ValueError, "reset_method cannot be learned"),
    (lambda: forms.LIF(P(tau_mem_inv=2000.0), learnable=("tau_mem_inv",)), ValueError, "tau_mem_inv"),
    (lambda: forms.LIF(P(tau_mem_inv=0.0), learnable=("tau_mem_inv",)), ValueError, "tau_mem_inv"),
    (lambda: forms.LIF(P(tau_mem_inv=-100.0)), ValueError, "tau_mem_inv .* not -100"),
    (lambda: forms.LIF(P(), dt=0.1), ValueError, r"tau_syn_inv is 200 and dt is 0\.1: .* > 2 are unstable"),
    (lambda: forms.LIF(neurons.LIParameters()), TypeError, "LIParameters lacks v_th"),
    (lambda: functional.lif_feed_forward_step(torch.rand(3), None, neurons.LIParameters()), TypeError, "lacks v_th"),
    (lambda: forms.LIF(P(tau_syn_inv=float("inf"))), ValueError, "tau_syn_inv .* not inf"),
    (lambda: forms.LIF(P(method="superb")), ValueError, "'superb'.* triangle"),
    (lambda: forms.LIF(P(method="adjoint")), ValueError, "'adjoint'.* triangle"),
    (lambda: forms.LIF(P(v_th=None)), TypeError, "v_th must be a number"),
    (lambda: forms.LIFEx(neurons.LIFExParameters(delta_T=0)), ValueError, "delta_T must be > 0, not 0"),
    (lambda: forms.LIFAdExRecurrent(2, 3, neurons.LIFAdExParameters(delta_T=-1)), ValueError, "delta_T"),
    (lambda: forms.Izhikevich(neurons.dap.p), TypeError, "spiking_method must be a preset"),
    (lambda: forms.LSNN(adjoint=True), NotImplementedError, "adjoint"),
    (lambda: forms.Izhikevich(neurons.dap, recovery="new"), ValueError, "recovery='new'.* 'new_v'"),
    (lambda: forms.LIFRecurrent(0, 3), ValueError, "input_size must be an integer >= 1, not 0"),
    (lambda: forms.LIFRecurrent(2, 2.5), ValueError, "hidden_size must be an integer"),
    (lambda: forms.LIFRecurrent(2**40, 2**40), ValueError, "too many entries"),
    (lambda: forms.LIFRecurrent(2, 3, input_weights=torch.ones(2, 3)), ValueError,
     r"input_weights .* \(3, 2\), not \(2, 3\)"),
    (lambda: forms.LIF()(torch.tensor(1.0)), ValueError, "time first"),
    (lambda: forms.LIFRecurrent(2, 3)(torch.rand(2)), ValueError, "axes must be"),
    (lambda: forms.LIFRecurrentCell(2, 3)(torch.rand(4, 5)), ValueError, "must be 2 wide, not 5"),
    (lambda: forms.LIF()([1.0]), TypeError, "LIF: the input must be a tensor, not list"),
    (lambda: forms.LIF()(torch.zeros(2, 3, dtype=torch.cfloat)), TypeError, "must be real, not torch.complex"),
    (lambda: forms.LIF(P(v_th=torch.ones(4)))(torch.rand(2, 3)), ValueError, r"p\.v_th has shape \(4,\)"),
    (lambda: forms.LIF()(torch.rand(2, 3), forms.LIFRecurrentCell(3, 3).initial_state(torch.rand(3))), TypeError,
     r"LIFFeedForwardState\(v, i\), not LIFState"),
    (lambda: forms.LIFCell()(torch.rand(3), S(torch.ones(4), 0.0)), ValueError, r"state\.v has shape"),
    (lambda: forms.LIFCell()(torch.rand(3), S(torch.ones(3).double(), 0.0)), TypeError,
     r"state\.v is torch\.float64"),
    (lambda: forms.LIFCell()(torch.rand(3), S(torch.ones(3, device="meta"), 0.0)), ValueError,
     r"state\.v is on meta"),
    (lambda: forms.LIFCell()(torch.rand(3), reset=torch.ones(3)), TypeError, "boolean"),
    (lambda: forms.LIF()(torch.rand(5, 3), reset=torch.ones(3, dtype=torch.bool)), ValueError, "leading part"),
    (lambda: functional.lif_feed_forward_step(torch.rand(3), None, dt=0), ValueError, "dt"),
    (lambda: functional.izhikevich_feed_forward_step(torch.rand(3), None, neurons.dap.p), ValueError, "preset"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), BAD)
def test_bad_input_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_fixed_rate_may_overshoot_as_long_as_it_is_stable():
    _, state = forms.LIBox(neurons.LIBoxParameters(tau_mem_inv=1900.0))(torch.ones(200, dtype=torch.float64))
    assert state.v.item() == pytest.approx(1)


def test_positional_arguments_and_signatures():
    assert forms.LILinearCell(2, 3, neurons.LIParameters(), 0.002).dt == 0.002
    assert forms.CobaLIFCell(2, 3, neurons.CobaLIFParameters(), 0.002).dt == 0.002
    assert forms.LIF(neurons.LIFParameters(), 0.002).dt == 0.002
    assert forms.LSNN(neurons.LSNNParameters(), False, 0.002).dt == 0.002
    assert forms.LIFMC(3, neurons.LIFParameters(), torch.zeros(3, 3), 0.002).g_coupling.shape == (3, 3)
    with pytest.raises(TypeError):
        forms.LIFRecurrent(2, 3, neurons.LIFParameters(), 0.002)
    arguments = inspect.signature(forms.LIFRecurrent).parameters
    assert list(arguments) == [
        "input_size", "hidden_size", "p", "input_weights", "recurrent_weights", "autapses", "dt", "learnable",
        "detach_reset", "record_states",
    ]  # fmt: skip
    detached = {name for name in CLASSES if inspect.signature(getattr(forms, name)).parameters["detach_reset"].default}
    assert detached == {f"{m}Recurrent{f}" for m in ("LIF", "LIFRefrac", "LIFMC", "LSNN") for f in ("", "Cell")}
    scale = {"CobaLIFRecurrent": (10**-0.5, 400**-0.5), "LIFRecurrent": ((2 / 400) ** 0.5,) * 2}
    for name, (w, r) in scale.items():
        module = getattr(forms, name)(10, 400, autapses=True)
        assert module.input_weights.std().item() == pytest.approx(w, rel=0.1)
        assert module.recurrent_weights.std().item() == pytest.approx(r, rel=0.1)
    assert forms.LILinear(10, 400).input_weights.std().item() == pytest.approx(10**-0.5, rel=0.1)
    assert forms.LIFMC(400).g_coupling.std().item() == pytest.approx(400**-0.5, rel=0.1)


def test_rho_never_requires_grad():
    state = neurons.LIFRefracFeedForwardState(neurons.LIFFeedForwardState(0.0, 0.0), torch.ones(3, requires_grad=True))
    rho = torch.nn.Parameter(torch.tensor(5.0))
    for model in (forms.LIFRefrac, forms.LIFMCRefrac):
        p = neurons.LIFRefracParameters(rho_reset=rho)
        layer = model(p) if model is forms.LIFRefrac else model(3, p)
        assert not layer(torch.rand(4, 3, requires_grad=True), state)[1].rho.requires_grad


CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@CUDA
@pytest.mark.gpu
@pytest.mark.parametrize("name", CLASSES)
def test_cuda_gives_the_numbers_of_the_cpu(name):
    x = drive(name, 40, B, dtype=torch.float32)
    module = make(name)
    with torch.no_grad():
        want = module(x)
        got = module.cuda()(x.cuda())
    equal(tree_map(torch.Tensor.cpu, got), want, exact=False)


@CUDA
@pytest.mark.gpu
@pytest.mark.parametrize("name", CLASSES)
def test_cuda_graph_capture(name):
    module, x = make(name).cuda(), drive(name, T, B, dtype=torch.float32).cuda()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), torch.no_grad():
        module(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        got = module(x)
    x.copy_(drive(name, T, B, dtype=torch.float32, seed=2))
    graph.replay()
    with torch.no_grad():
        equal(got, module(x), exact=False)


@pytest.mark.parametrize("steps", [0, 1])
def test_writing_to_a_returned_state_changes_no_later_start(steps):
    layer, x = forms.LIFRefrac(), torch.zeros(steps, 2)
    _, state = layer(x)
    for value in (state.lif.v, state.lif.i, state.rho):
        value.add_(7)
    assert not any(value.any() for value in (lambda s: (s.lif.v, s.lif.i, s.rho))(layer(x)[1]))


def test_a_module_shows_the_values_it_uses():
    shown = repr(forms.LIF(P(v_th=torch.ones(7)), learnable="tau_mem_inv"))
    assert "tau_syn_inv=200, tau_mem_inv=100 learnable, v_leak=0, v_th=tensor of (7,)" in shown
    assert "rho_reset=5" in repr(forms.LIFRefracCell())
    assert "v_th=tensor of ()" in repr(forms.LIFCell().to("meta"))
