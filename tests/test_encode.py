"""Encoders and decoders: their reference values, the laws all of them obey, and the way there and back."""

import copy
import inspect
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsnn.encode as encode
from eventsnn import LIFAdExParameters, LIFParameters, scan

CURRENTS = torch.tensor([0.9, 1.5, 2.0, 2.5, 4.0, 8.0, 16.0], dtype=torch.float64)
TRAINS = [[], [10], [6, 13], [4, 9, 14, 19], [2, 5, 8, 11, 14, 17], [*range(1, 20, 2)], [*range(20)]]

ENCODERS = {  # module: arguments, input range
    "ConstantCurrentLIFEncoder": ({"seq_length": 7}, (0, 10)),
    "DeltaEncoder": ({"threshold": 0.3}, (-2, 2)),
    "MovingWindowEncoder": ({"threshold": 0.3, "window": 2}, (-2, 2)),
    "PhaseEncoder": ({"seq_length": 7, "phases": 3}, (0, 1)),
    "PoissonEncoder": ({"seq_length": 7}, (0, 1)),
    "PoissonEncoderStep": ({}, (0, 1)),
    "PopulationEncoder": ({"out_features": 4}, (0, 1)),
    "RankOrderEncoder": ({"seq_length": 7}, (-1, 1)),
    "SignedPoissonEncoder": ({"seq_length": 7}, (-1, 1)),
    "SignedPoissonEncoderStep": ({}, (-1, 1)),
    "SpikeLatencyEncoder": ({}, (-1, 1)),
    "SpikeLatencyLIFEncoder": ({"seq_length": 7}, (0, 10)),
    "StepForwardEncoder": ({"threshold": 0.3}, (-2, 2)),
    "TTFSEncoder": ({"seq_length": 7}, (0, 1)),
}
DECODERS = {
    "ContrastDecoder": {"threshold": 0.3},
    "FirstSpikeDecoder": {},
    "MovingWindowDecoder": {"threshold": 0.3, "window": 2},
    "PhaseDecoder": {"phases": 3},
    "RankOrderDecoder": {},
    "RateDecoder": {},
    "SpikesToTimesDecoder": {"spike_count": 2},
    "TTFSDecoder": {},
}
SHAPES = {"PopulationEncoder": (3, 2, 4)} | dict.fromkeys(
    ("DeltaEncoder", "MovingWindowEncoder", "SpikeLatencyEncoder", "StepForwardEncoder"), (3, 2)
)
SHAPES |= dict.fromkeys(("PoissonEncoderStep", "SignedPoissonEncoderStep"), (3, 2))


def module(name):
    return getattr(encode, name)(**(ENCODERS[name][0] if name in ENCODERS else DECODERS[name]))


def values(low, high, *shape, dtype=torch.float64, seed=0):
    return (low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(seed))).to(dtype)


def drive(name, dtype=torch.float64):
    if name in DECODERS:
        return (values(0, 1, 6, 2) > 0.6).to(dtype)
    return values(*ENCODERS[name][1], 3, 2, dtype=dtype)


def steps_of(spikes):
    return [column.nonzero().flatten().tolist() for column in spikes.unbind(1)]


def test_every_module_is_listed():
    modules = {name for name in encode.__all__ if inspect.isclass(getattr(encode, name))}
    assert modules == set(ENCODERS) | set(DECODERS)
    assert len(set(encode.__all__)) == len(encode.__all__)
    for name in modules:
        cls = getattr(encode, name)
        assert (cls.__name__, cls.__module__, cls.is_stateful) == (name, "eventsnn.encode", False)


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_module_is_its_function_in_the_dtype_of_the_input_and_leaves_no_trace(name):
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool):
        x = drive(name).to(dtype)
        before = x.clone()
        m = module(name)
        torch.manual_seed(1)
        out = m(x)
        arguments = {key: getattr(m, key) for key in inspect.signature(type(m)).parameters}
        torch.manual_seed(1)
        assert torch.equal(out, type(m).function(x, **arguments))
        latch = name == "SpikeLatencyEncoder"
        assert out.dtype == (dtype if dtype.is_floating_point or latch else torch.get_default_dtype())
        assert torch.equal(x, before)
        if name in ENCODERS:
            assert out.shape == SHAPES.get(name, (7, 3, 2))
    assert not list(m.parameters())


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_modules_copy_pickle_and_move(name):
    m, x = module(name), drive(name)
    for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m)), m.to(torch.float64)):
        torch.manual_seed(1)
        out = m(x)
        torch.manual_seed(1)
        torch.testing.assert_close(other(x), out, rtol=0, atol=0)
    m.load_state_dict({})


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_modules_compile_whole(name):
    m, x = module(name), drive(name, torch.float32)
    if "Poisson" in name:
        assert torch.compile(m, fullgraph=True, backend="eager")(x).shape == m(x).shape
    else:
        torch.testing.assert_close(torch.compile(m, fullgraph=True, backend="eager")(x), m(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name, (args, _) in ENCODERS.items() if "seq_length" in args])
def test_no_steps_no_spikes_and_any_shape(name):
    arguments, span = ENCODERS[name]
    for shape in ((3,), (2, 0, 3), ()) if name != "RankOrderEncoder" else ((3,), (2, 0, 3)):
        for steps in (0, 1, 3):
            m = getattr(encode, name)(**arguments | {"seq_length": steps})
            assert m(values(*span, *shape)).shape == (steps, *shape)


# --- LIF encoders ---


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("backend", ["loop", "cpu"])
def test_lif_encoders_spike_when_they_must(dtype, backend):
    with scan.backend(backend):
        assert steps_of(encode.constant_current_lif_encode(CURRENTS.to(dtype), 20)) == TRAINS
        firsts = [train[:1] for train in TRAINS]
        assert steps_of(encode.spike_latency_lif_encode(CURRENTS.to(dtype), 20)) == firsts


@pytest.mark.parametrize(
    ("current", "train", "latency"),
    [(0.9, 0.0118867, 0.0118867), (1.5, 0.122608, 0.111269), (2.5, 0.144636, 0.0376323), (4, 0.020537, 0.00339541)],
)
def test_lif_encoder_gradients(current, train, latency):
    for function, wanted in (
        (encode.constant_current_lif_encode, train),
        (encode.spike_latency_lif_encode, latency),
    ):
        x = torch.tensor(current, dtype=torch.float64, requires_grad=True)
        (grad,) = torch.autograd.grad(function(x, 20).sum(), x)
        assert grad.item() == pytest.approx(wanted, rel=1e-5)


def test_lif_encoder_parameters_are_buffers_and_the_start_is_free():
    bio = LIFParameters.bio_default()
    quiet = torch.zeros(3)
    assert encode.constant_current_lif_encode(quiet, 3, bio, 1.0)[0].all()
    assert not encode.constant_current_lif_encode(quiet, 30, bio, 1.0, initial_voltage=-70.0).any()
    m = encode.ConstantCurrentLIFEncoder(20, LIFParameters(v_th=2.0), initial_voltage=torch.tensor([0.0, 1.9]))
    assert set(m.state_dict()) == {f"p.{n}" for n in LIFParameters._fields if n != "method"}
    assert m.p.v_th.item() == 2
    assert steps_of(m(torch.full((2,), 3.0))) == [[10], [0, 11]]
    per_neuron = LIFParameters(v_th=torch.tensor([1.0, 2.0]))
    assert steps_of(encode.constant_current_lif_encode(torch.full((2,), 3.0), 12, per_neuron)) == [[3, 7, 11], [10]]


def test_current_encoder_steps():
    x = torch.tensor(1.5, dtype=torch.float64)
    ends = {}
    for name, more in (("lif", 0), ("lif_ex", 0), ("lif_adex", 1)):
        state, spikes = (0.0,) * (1 + more), []
        for t in range(20):
            z, *state = getattr(encode, f"{name}_current_encoder")(x, *state)
            spikes += [t] * bool(z)
        ends[name] = (spikes, [round(value.item(), 6) for value in state])
    assert ends == {
        "lif": ([10], [0.918869]),
        "lif_ex": ([8, 17], [0.300349]),
        "lif_adex": ([8, 17], [0.278667, 0.113852]),
    }
    z, v, a = encode.lif_adex_current_encoder(torch.ones(2), torch.zeros(2), 0.0, LIFAdExParameters(v_th=0.05))
    assert z.tolist() == [1, 1]
    assert v.tolist() == [0, 0]
    torch.testing.assert_close(a, torch.full((2,), 0.02))


# --- Poisson ---


def generator():
    return torch.Generator().manual_seed(0)


def test_poisson_reference_and_seed():
    z = encode.poisson_encode(torch.full((1000,), 0.5), 100, generator=generator())
    assert z.sum() == 5058
    assert z[:, 0].nonzero().flatten().tolist() == [7, 29]
    assert torch.equal(z, encode.PoissonEncoder(100, generator=generator())(torch.full((1000,), 0.5)))
    x = torch.linspace(-1, 1, 1000)
    signed = encode.signed_poisson_encode(x, 100, generator=generator())
    assert ((signed == 1).sum(), (signed == -1).sum()) == (2531, 2476)
    assert torch.equal(signed != 0, encode.poisson_encode(x.abs(), 100, generator=generator()) != 0)
    assert torch.equal(
        encode.poisson_encode_step(x, generator=generator()), (torch.rand(1000, generator=generator()) < x).float()
    )


def test_poisson_saturates_and_nan_is_silent():
    assert encode.poisson_encode(torch.tensor(2.0), 50, f_max=1000).all()
    odd = torch.tensor([-1.0, 0.0, float("nan")])
    assert not encode.poisson_encode(odd, 50, f_max=1000).any()
    assert encode.signed_poisson_encode(odd, 50, f_max=1000).mean(0).tolist() == [-1, 0, 0]
    assert not encode.poisson_encode(torch.ones(3, requires_grad=True), 3).requires_grad


@pytest.mark.parametrize("sign", [-1, 1])
def test_rate_decoding_gives_poisson_values_back(sign):
    x = sign * torch.linspace(0, 1, 11)
    z = encode.signed_poisson_encode(x.repeat(2000, 1), 200, generator=generator())
    back = encode.rate_decode(z).mean(0)
    error = (0.1 * x.abs() * (1 - 0.1 * x.abs()) / 400_000).sqrt() / 0.1
    assert ((back - x).abs() <= 5 * error + 1e-6).all()


# --- population ---

ROWS = torch.tensor([[1, 0.882497, 0.606531], [0.882497, 1, 0.882497], [0.606531, 0.882497, 1]])
NARROW = torch.tensor([[1, 0.367879, 0.018316], [0.367879, 1, 0.367879], [0.018316, 0.367879, 1]])


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_population_reference():
    close(encode.population_encode(torch.tensor([0, 0.5, 1]), 3), ROWS)
    close(encode.population_encode(torch.tensor([0.0, 1, 2]), 3), NARROW)
    close(encode.population_encode(torch.tensor([0.0, 1, 2]), 3, multiply_by_scale=False), ROWS)
    both = encode.population_encode(torch.tensor([[0.0, 1, 2], [1, 2, 4]]), 3, torch.tensor([2.0, 4.0]))
    close(both[0], NARROW)
    close(both[1], torch.tensor([[0.135335, 0.135335, 0], [0.000335, 1, 0.000335], [0, 0.000335, 1]]))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 5), peak=st.floats(-3, 3), ratio=st.booleans())
def test_population_outputs_are_at_most_one_and_differentiable(n, peak, ratio):
    x = (peak - torch.rand(4, dtype=torch.float64, generator=generator())).requires_grad_()
    y = encode.population_encode(x, n, multiply_by_scale=not ratio)
    assert y.shape == (4, n)
    assert (y <= 1).all()
    assert torch.autograd.gradcheck(lambda v: encode.population_encode(v, n, 2.0, multiply_by_scale=not ratio), x)
    if x.max() <= 0:
        assert (y == 1).all()


def test_population_scale_per_value_kernel_and_empty_input():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (encode.population_encode(x, 2, x)[..., 1] == 1).all()
    assert encode.population_encode(torch.empty(0, 2), 3).shape == (0, 2, 3)
    double = encode.PopulationEncoder(2, 1.0, lambda d: 2 * d, lambda a, b: (a - b).abs())
    assert double(torch.tensor(0.25)).tolist() == [0.5, 1.5]


# --- latency ---


def test_spike_latency_keeps_the_first_of_either_sign():
    x = torch.tensor([-1, 0, 1, -1])
    assert encode.spike_latency_encode(x).tolist() == [-1, 0, 0, 0]
    assert encode.spike_latency_encode(x != 0).dtype == torch.bool
    half = torch.tensor([0.0, 0.5, 0.0, 1.0], requires_grad=True)
    out = encode.spike_latency_encode(half)
    assert out.tolist() == [0, 0.5, 0, 0]
    assert torch.autograd.grad(out.sum(), half)[0].tolist() == [1, 1, 0, 0]
    assert encode.spike_latency_encode(torch.empty(0, 3)).shape == (0, 3)


def test_first_spike_time_gives_the_current_back_within_its_interval():
    x = torch.linspace(1.01, 9, 50, dtype=torch.float64)
    n = encode.first_spike_decode(encode.spike_latency_lif_encode(x, 100)) / 0.001 + 1
    assert (x > 1 / (1 - 0.9**n)).all()
    assert (x <= 1 / (1 - 0.9 ** (n - 1)) + 1e-9).all()


# --- temporal contrast ---


def walks(seed, step):
    return step * (
        2 * torch.rand(60, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    ).cumsum(0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), threshold=st.floats(0.05, 2))
def test_contrast_codes_come_back_to_within_a_threshold(seed, threshold):
    x = walks(seed, 1.0)
    back = encode.contrast_decode(encode.delta_encode(x, threshold), threshold, x[0])
    assert ((back - x).abs() < threshold * (1 + 1e-6)).all()
    x = walks(seed, threshold)
    z = encode.step_forward_encode(x, threshold)
    assert set(z.flatten().tolist()) <= {-1, 0, 1}
    assert ((encode.contrast_decode(z, threshold, x[0]) - x).abs() <= threshold * (1 + 1e-6)).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), window=st.integers(1, 6))
def test_moving_window_spikes_survive_decoding_and_encoding(seed, window):
    z = torch.randint(-1, 2, (40, 3), generator=torch.Generator().manual_seed(seed)).double()
    z[0] = 0
    x = encode.moving_window_decode(z, 0.5, window, 1.0)
    assert torch.equal(encode.moving_window_encode(x, 0.4, window), z)


def test_contrast_steps_by_hand():
    """Naive versions, sample by sample, are the truth."""
    x, threshold = walks(3, 1.0)[:, 0], 0.4
    delta, forward, window = [], [], []
    sent = base = x[0].item()
    for t, value in enumerate(x.tolist()):
        n = int((value - sent) / threshold)
        sent += n * threshold
        delta.append(n)
        z = (value > base + threshold) - (value < base - threshold)
        base += z * threshold
        forward.append(z)
        past = [x[max(k, 0)].item() for k in range(t - 3, t)]
        mean = sum(past) / 3
        window.append((value > mean + threshold) - (value < mean - threshold))
    assert encode.delta_encode(x, threshold).tolist() == delta
    assert encode.step_forward_encode(x, threshold).tolist() == forward
    assert encode.moving_window_encode(x, threshold, 3).tolist() == window
    for name in ("delta_encode", "step_forward_encode", "moving_window_encode"):
        assert getattr(encode, name)(torch.empty(0, 2), 1.0).shape == (0, 2)
    assert torch.equal(encode.step_forward_encode(walks(1, 0.5), 0.4), forced("cpu", walks(1, 0.5), 0.4))


def forced(backend, x, threshold):
    with scan.backend(backend):
        return encode.step_forward_encode(x, threshold)


# --- time to first spike, rank order, phase ---


@settings(deadline=None, max_examples=40)
@given(x=st.lists(st.floats(0, 1), min_size=1, max_size=5), steps=st.integers(2, 40), minimum=st.floats(0.001, 0.9))
def test_ttfs_comes_back_to_within_half_a_step(x, steps, minimum):
    x = torch.tensor(x, dtype=torch.float64)
    z = encode.ttfs_encode(x, steps)
    assert torch.equal(z.sum(0) > 0, x > 0)
    assert ((encode.ttfs_decode(z) - x).abs() <= 0.5 / (steps - 1) + 1e-9).all()
    z = encode.ttfs_encode(x, steps, "logarithmic", minimum)
    back = encode.ttfs_decode(z, "logarithmic", minimum)
    assert torch.equal(back > 0, x >= minimum)
    ratio = (back / x)[x >= minimum]
    assert (ratio.log().abs() <= -0.5 * torch.tensor(minimum).log() / (steps - 1) + 1e-6).all()


@settings(deadline=None, max_examples=40)
@given(x=st.lists(st.floats(-5, 5), min_size=1, max_size=8, unique=True))
def test_rank_order_keeps_the_order(x):
    x = torch.tensor(x, dtype=torch.float64)
    z = encode.rank_order_encode(x)
    assert (z.sum(0) == 1).all()
    assert (z.sum(1) == 1).all()
    assert torch.equal(encode.rank_order_decode(z).argsort(), x.argsort())
    assert encode.rank_order_encode(x, 1).sum() == 1


@settings(deadline=None, max_examples=40)
@given(x=st.lists(st.floats(0, 1), min_size=1, max_size=5), phases=st.integers(1, 12), periods=st.integers(1, 3))
def test_phase_comes_back_to_within_its_last_digit(x, phases, periods):
    x = torch.tensor(x, dtype=torch.float64)
    z = encode.phase_encode(x, periods * phases + 1, phases)
    assert set(z.flatten().tolist()) <= {0, 1}
    assert ((encode.phase_decode(z, phases) - x).abs() <= 2.0**-phases).all()


# --- times ---


def test_spike_times_in_order_with_gradient():
    z = torch.tensor([[0.0, 1], [1, 0], [0, 0], [1, 0]], requires_grad=True)
    times = encode.spikes_to_times(z, 3, dt=0.5)
    assert times.tolist() == [[0.5, 0], [1.5, float("inf")], [float("inf")] * 2]
    (grad,) = torch.autograd.grad(times[:2][torch.isfinite(times[:2])].sum(), z)
    assert grad.tolist() == [[0, -0.5], [-0.5, 0], [0, 0], [-0.5, 0]]
    assert encode.SpikesToTimesDecoder(9, convert_indices_to_times=False)(z).shape == (4, 2)
    assert encode.spikes_to_times(z, 1, False)[0].tolist() == [1, 0]
    assert encode.first_spike_decode(torch.zeros(0, 2)).tolist() == [float("inf")] * 2


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), steps=st.integers(1, 12))
def test_times_rebuild_the_spikes(seed, steps):
    z = (torch.rand(steps, 3, generator=torch.Generator().manual_seed(seed)) > 0.6).float()
    times = encode.spikes_to_times(z, steps, False)
    back = (torch.arange(steps)[:, None, None] == times[None]).sum(1).float()
    assert torch.equal(back, z)


# --- bad input ---

BAD = [
    ("poisson_encode", (torch.ones(2), -1), {}, "seq_length must be an integer >= 0, not -1"),
    ("poisson_encode", (torch.ones(2), 2.0), {}, "seq_length must be an integer"),
    ("poisson_encode", (torch.ones(2), True), {}, "seq_length must be an integer"),
    ("poisson_encode", (torch.ones(2), 3, -1), {}, "f_max must be a finite number >= 0, not -1"),
    ("poisson_encode", (torch.ones(2), 3), {"dt": 0}, "dt must be a finite number > 0, not 0"),
    ("signed_poisson_encode", (torch.ones(2), 3, float("inf")), {}, "f_max must be a finite number"),
    ("constant_current_lif_encode", (torch.ones(2), 3), {"dt": -1}, "dt is the time step"),
    ("constant_current_lif_encode", (torch.ones(2), -3), {}, "seq_length"),
    ("population_encode", (torch.ones(2), 0), {}, "out_features must be an integer >= 1"),
    ("population_encode", (torch.ones(2), 3, 0.0), {}, "scale must be a finite number > 0"),
    ("population_encode", (torch.ones(2, 3), 3, torch.ones(3)), {}, "not a leading part"),
    ("spike_latency_encode", (torch.tensor(1.0),), {}, "first axis must be time"),
    ("delta_encode", (torch.ones(2), 0), {}, "threshold must be a finite number > 0"),
    ("delta_encode", (torch.tensor(1.0), 1), {}, "first axis must be time"),
    ("step_forward_encode", (torch.tensor([1, float("nan")]), 1), {}, "must be finite, but it holds nan"),
    ("moving_window_encode", (torch.ones(3), 1, 0), {}, "window must be an integer >= 1"),
    ("ttfs_encode", (torch.tensor([0.5, 1.5]), 5), {}, r"in \[0, 1\], but it holds 1.5"),
    ("ttfs_encode", (torch.tensor([float("nan")]), 5), {}, "holds nan"),
    ("ttfs_encode", (torch.ones(2), 5, "log"), {}, "mode must be one of 'linear', 'logarithmic'"),
    ("ttfs_encode", (torch.ones(2), 5, "logarithmic", 1.0), {}, "minimum must be a finite number > 0 and < 1"),
    ("phase_encode", (torch.tensor([-0.1]), 8), {}, r"in \[0, 1\], but it holds -0.1"),
    ("phase_encode", (torch.ones(1), 8, 25), {}, "at most 24"),
    ("phase_decode", (torch.ones(3, 1), 8), {}, "less than one period"),
    ("rank_order_encode", (torch.tensor(1.0),), {}, "last axis"),
    ("rank_order_encode", (torch.tensor([float("nan")]),), {}, "finite"),
    ("rank_order_decode", (torch.ones(2, 2), 1.0), {}, "modulation must be"),
    ("rate_decode", (torch.ones(0, 2),), {}, "no steps"),
    ("spikes_to_times", (torch.ones(2), 0), {}, "spike_count must be an integer >= 1"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD)
def test_bad_input_is_refused_by_name(name, args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        getattr(encode, name)(*args, **kwargs)


def test_encoders_vectorise():
    x = values(0, 1, 4, 3)
    for function in (lambda v: encode.ttfs_encode(v, 5), lambda v: encode.phase_encode(v, 5, 3)):
        torch.testing.assert_close(torch.func.vmap(function, out_dims=1)(x), function(x))


@pytest.mark.parametrize("name", [name for name in encode.__all__ if name.endswith(("encode", "decode"))])
def test_what_is_not_a_tensor_is_refused(name):
    required = [p for p in inspect.signature(getattr(encode, name)).parameters.values() if p.default is p.empty]
    with pytest.raises(TypeError, match=f"{name}: the input must be a tensor, not list"):
        getattr(encode, name)([0.5], *[2] * (len(required) - 1))


def test_complex_and_sparse_values_are_refused():
    with pytest.raises(TypeError, match="poisson_encode: the input must be real"):
        encode.poisson_encode(torch.ones(2, dtype=torch.cfloat), 3)
    with pytest.raises(TypeError, match=r"does not take sparse input: pass input\.to_dense"):
        encode.poisson_encode(torch.ones(2).to_sparse(), 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_cuda_equals_cpu(name):
    m, x = module(name), drive(name, torch.float32)
    out = m.cuda()(x.cuda())
    assert out.device.type == "cuda"
    if "Poisson" not in name:
        torch.testing.assert_close(out.cpu(), m.cpu()(x))
