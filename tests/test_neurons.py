"""Golden numbers and gradients of every neuron model (float64, computed independently), and its own rules."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_structure, treespec_dumps, treespec_loads

import eventsnn.forms as forms
import eventsnn.neurons as neurons
from eventsnn.neurons import (
    CobaLIFParameters,
    IAFParameters,
    LIBoxParameters,
    LIFAdExParameters,
    LIFAdExRefracParameters,
    LIFBoxParameters,
    LIFExParameters,
    LIFParameters,
    LIFRefracParameters,
    LIParameters,
    LSNNParameters,
    reset_subtract,
)
from eventsnn.neurons.izhikevich_behaviours import PANELS

F64 = torch.float64
W0 = torch.tensor([[0.93, 0.51], [1.17, -0.32], [0.44, 1.03]], dtype=F64)
R0 = torch.tensor([[0, 0.53, -0.41], [-0.64, 0, 0.35], [0.43, -0.22, 0]], dtype=F64)
G0 = torch.tensor([[0, 40, -30], [20, 0, 50], [-10, 30, 0]], dtype=F64)
STEPS = torch.arange(18)
X = torch.stack([1 - STEPS % 2, (STEPS % 3) / 2], 1).to(F64)  # two inputs


def F(g):  # one neuron: g times 0, 1, 2, 3, 4, 0, ...
    return (g * (STEPS % 5)).to(F64)


def D(g):  # three neurons: the input product of X
    return g * (X @ W0.T)


def recurrent(w=1.0, r=1.0):
    return {"input_size": 2, "hidden_size": 3, "input_weights": w * W0, "recurrent_weights": r * R0}


P2 = {"tau_syn_inv": 150, "tau_mem_inv": 60, "v_leak": 0.1, "v_th": 0.8, "v_reset": -0.2}
BOX2 = {k: v for k, v in P2.items() if k != "tau_syn_inv"}
AX = {"adaptation_current": 2, "adaptation_spike": 0.1, "delta_T": 0.4, "tau_ada_inv": 20}
C2 = CobaLIFParameters(100, 50, 150, 0.3, -90, 50, -60, -65, -50)
SUBTRACT = {"reset_method": reset_subtract}
TONIC = {"spiking_method": neurons.tonic_spiking}

# class, keyword arguments, input, spike steps of every neuron (None: no spikes), state fields after the last step
GOLDEN = [
    ("LI", {}, F(0.3), None, {"v": 2.120309, "i": 2.116573}),
    ("LI", {"p": LIParameters(150, 60, 0.1), "dt": 0.002}, F(0.3), None, {"v": 1.724087, "i": 1.206645}),
    ("LILinear", {"input_size": 2, "hidden_size": 3, "input_weights": W0}, X, None,
     {"v": [2.683982, 1.608235, 2.720262], "i": [2.772956, 1.321334, 3.089481]}),
    ("LIRecurrent", recurrent(), X, None,
     {"v": [1.090832, 1.249854, 4.061653], "i": [-0.255483, 1.919341, 4.698428]}),
    ("LIBox", {}, F(0.3), None, {"v": 0.470765}),
    ("LIBox", {"p": LIBoxParameters(60, 0.1), "dt": 0.002}, F(0.3), None, {"v": 0.596742}),
    ("LIBoxRecurrent", recurrent(), X, None, {"v": [0.528553, 0.248336, 0.759034]}),
    ("IAF", {}, F(0.3), [[3, 4, 8, 9, 13, 14]], {"v": 0.9}),
    ("IAF", {"p": IAFParameters(0.8, -0.2), "dt": 0.002}, F(0.3), [[3, 4, 8, 9, 13, 14]], {"v": 0.7}),
    ("IAFRecurrent", recurrent(), X,
     [[1, 2, 6, 8, 11, 14, 16], [0, 6, 10, 14], [2, 4, 5, 7, 8, 10, 12, 14, 16, 17]], {"v": [0.1, 0.11, 0]}),
    ("LIF", {}, F(0.3), [[8, 13]], {"v": 0.980354, "i": 2.116573}),
    ("LIF", {"p": LIFParameters(**P2), "dt": 0.002}, F(0.3), [[6, 11, 16]], {"v": 0.042854, "i": 1.206645}),
    ("LIFRecurrent", recurrent(), X, [[6, 11, 15], [10], [6, 10, 14, 17]],
     {"v": [0.620761, 0.899855, 0], "i": [2.552983, 0.971651, 3.468202]}),
    ("LIFBox", {}, F(1.5), [[4, 9, 14]], {"v": 0.435}),
    ("LIFBox", {"p": LIFBoxParameters(**SUBTRACT)}, F(1.5), [[4, 8, 13, 17]], {"v": 0.056116}),
    ("LIFBox", {"p": LIFBoxParameters(**BOX2), "dt": 0.002}, F(2), [[3, 6, 8, 11, 13, 16]], {"v": 0.316}),
    ("LIFBox", {"p": LIFBoxParameters(**BOX2, **SUBTRACT), "dt": 0.002}, F(2), [[3, 4, 6, 8, 9, 12, 13, 14, 17]],
     {"v": 0.142095}),
    ("LIFBoxRecurrent", recurrent(5, 5), X, [[2, 6, 10, 14], [4, 10], [2, 5, 8, 11, 14, 17]],
     {"v": [0.6222, 0.628068, 0]}),
    ("LIFRefrac", {}, F(0.5), [[5, 13]], {"lif.v": 0, "lif.i": 3.527621, "rho": 1}),
    ("LIFRefrac", {"p": LIFRefracParameters(LIFParameters(**P2), 2.5), "dt": 0.002}, F(0.5), [[4, 10, 16]],
     {"lif.v": -0.2, "lif.i": 2.011076, "rho": 1.5}),
    ("LIFRefracRecurrent", recurrent(), X, [[6, 14], [10], [6, 15]],
     {"lif.v": [0, 0.352822, 0], "lif.i": [2.586486, 1.192743, 3.300440], "rho": [2, 0, 3]}),
    ("LIFEx", {}, F(0.4), [[6, 9, 13, 16]], {"v": 0.359529, "i": 2.822097}),
    ("LIFEx", {"p": LIFExParameters(delta_T=0.4, **P2), "dt": 0.002}, F(0.3), [[5, 10, 15]],
     {"v": 0.254578, "i": 1.206645}),
    ("LIFExRecurrent", recurrent(), X, [[5, 9, 13, 17], [8, 16], [6, 10, 13, 16]],
     {"v": [0, 0.186099, 0.401988], "i": [2.650953, 1.434661, 3.161772]}),
    ("LIFAdEx", {}, F(0.35), [[7, 11, 15]], {"v": 0.574198, "i": 2.469335, "a": 0.113809}),
    ("LIFAdEx", {"p": LIFAdExParameters(**AX, **P2), "dt": 0.002}, F(0.3), [[5, 10, 15]],
     {"v": 0.170393, "i": 1.206645, "a": 0.327966}),
    ("LIFAdExRecurrent", recurrent(), X, [[5, 9, 13, 17], [8, 16], [6, 10, 13, 16]],
     {"v": [0, 0.175712, 0.388540], "i": [2.650953, 1.434661, 3.161772], "a": [0.137406, 0.103665, 0.134213]}),
    ("LIFAdExRefrac", {}, F(0.5), [[5, 13]],
     {"lif_adex.v": 0, "lif_adex.i": 3.527621, "lif_adex.a": 0.061049, "rho": 1}),
    ("LIFAdExRefrac", {"p": LIFAdExRefracParameters(LIFAdExParameters(**AX, **P2), 2.5), "dt": 0.002}, F(0.5),
     [[4, 10, 16]], {"lif_adex.v": -0.2, "lif_adex.i": 2.011076, "lif_adex.a": 0.213944, "rho": 1.5}),
    ("LIFAdExRefracRecurrent", recurrent(), X, [[5, 14], [8], [6, 15]],
     {"lif_adex.v": [0, 0.638418, 0], "lif_adex.i": [2.546472, 1.203738, 3.309662],
      "lif_adex.a": [0.071477, 0.059945, 0.076247], "rho": [2, 0, 3]}),
    ("LSNN", {}, F(0.5), [[6, 15]], {"v": 0.849406, "i": 4.409527, "b": 4.570907}),
    ("LSNN", {"p": LSNNParameters.norse_default()}, F(0.5), [[6, 16]], {"v": 0.426191, "i": 4.409527, "b": 4.599973}),
    ("LSNN", {"p": LSNNParameters(**P2, tau_adapt_inv=10, beta=0.5), "dt": 0.002}, F(0.5), [[5, 10, 16]],
     {"v": 0.157080, "i": 2.872965, "b": 2.116421}),
    ("LSNNRecurrent", recurrent(), X, [[7], [10], [7]],
     {"v": [2.240671, 1.050784, 2.270129], "i": [3.550102, 1.612744, 3.861893], "b": [2.777626, 2.784309, 2.777626]}),
    ("CobaLIF", {}, F(0.05), [[4, 13]], {"v": -28.819520, "g_e": 0.352762, "g_i": 0}),
    ("CobaLIF", {"p": C2, "dt": 0.002}, F(0.05) - 0.05, [[5, 9, 12, 14, 17]],
     {"v": -65.0, "g_e": 0.194003, "g_i": 0.078187}),
    ("CobaLIFRecurrent", recurrent(0.1, 0.5), X, [[5, 15], [12], [5, 14]],
     {"v": [-48.408040, -36.105190, -36.525866], "g_e": [0.364131, 0.305879, 0.461323],
      "g_i": [0.119047, 0.298910, 0.036045]}),
    ("LIFMC", {"hidden_size": 3, "g_coupling": G0}, D(0.7), [[8, 14], [11], [8, 14]],
     {"v": [0.697982, 0.821671, 0.717764], "i": [1.941069, 0.924934, 2.162636]}),
    ("LIFMCRecurrent", {**recurrent(), "g_coupling": G0}, X, [[6, 10, 14], [8, 14], [6, 10, 13, 16]],
     {"v": [0.913487, 0.557319, 0.422742], "i": [2.498313, 1.331286, 3.294587]}),
    ("LIFMCRefrac", {"hidden_size": 3, "g_coupling": G0}, D(0.7), [[9], [12], [9]],
     {"lif.v": [0.656771, 0, 0.673286], "lif.i": [2.426336, 1.156167, 2.703295], "rho": [0, 0, 0]}),
    ("LIFMCRefracRecurrent", {**recurrent(), "g_coupling": G0}, X, [[7, 16], [8], [7, 16]],
     {"lif.v": [0, 0.815409, 0], "lif.i": [3.090085, 1.322744, 4.312654], "rho": [4, 0, 4]}),
    ("LIFMCRefracRecurrent", {**recurrent(), "g_coupling": 0.01 * G0, "norse_compat": True}, X,
     [[5, 13], [5, 11, 15], [6, 12]], {"lif.v": [0.323169, 0.681319, 0.573128], "rho": [1, 3, 0]}),
    ("Izhikevich", TONIC, torch.full((18,), 40.0, dtype=F64), [[5, 11]], {"v": 3.371067, "u": -2.048421}),
    ("Izhikevich", {**TONIC, "recovery": "new_v"}, torch.full((18,), 40.0, dtype=F64), [[5, 11]],
     {"v": 2.305485, "u": -1.778065}),
    ("Izhikevich", {"spiking_method": neurons.class_1_exc}, torch.full((18,), 60.0, dtype=F64), [[4, 9, 14]],
     {"v": -21.909801, "u": 23.027845}),
    ("IzhikevichRecurrent", {**recurrent(60, 60), **TONIC}, X, [[5, 11], [6, 16], [5, 11, 17]],
     {"v": [3.494665, -73.336641, -65.0], "u": [-2.003485, -1.909169, 4.021938]}),
]  # fmt: skip


def spikes(z):
    return [z.reshape(len(z), -1)[:, n].nonzero().flatten().tolist() for n in range(z[0].numel())]


def dotted(state, path=""):
    for name, value in zip(state._fields, state, strict=True):
        if isinstance(value, tuple):
            yield from dotted(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("row", GOLDEN, ids=[f"{g[0]}-{i}" for i, g in enumerate(GOLDEN)])
def test_golden_numbers(row, dtype):
    name, kwargs, x, want, state = row
    out, final = getattr(forms, name)(**kwargs).to(dtype)(x.to(dtype))
    fields = dict(dotted(final))
    tolerance = 1e-6 if dtype == F64 else 1e-4 if "Izhikevich" in name else 1e-5
    if want is None:
        torch.testing.assert_close(out[-1], fields["v"])
    else:
        assert spikes(out) == want
    for field, value in state.items():
        value = torch.tensor(value, dtype=dtype)
        torch.testing.assert_close(fields[field], value, rtol=tolerance, atol=tolerance)


# layer, parameters, g, then over F(g): L, dL/dg, the same with detach_reset, dL/dv_th, dL/dtau_mem_inv
GRADIENTS = [
    ("LIF", LIFParameters, {}, 0.3, 2, 0.545757, 0.550098, -0.168384, 0.00134166),
    ("LIFBox", LIFBoxParameters, {}, 1.5, 3, 0.00833439, 0.0083443, -0.0149177, 0.000115813),
    ("LIFBox", LIFBoxParameters, SUBTRACT, 1.5, 4, 0.0917645, 0.0930667, -0.139601, 0.00112756),
    ("IAF", IAFParameters, {}, 0.3, 6, 0.129615, 0.129921, -0.0414255, None),
    ("LIFRefrac", LIFRefracParameters, {}, 0.5, 2, 0.0859321, 0.0863075, -0.0424503, 0.000376736),
    ("LIFEx", LIFExParameters, {}, 0.4, 4, 0.711864, 0.73032, -0.310912, 0.00270341),
    ("LIFAdEx", LIFAdExParameters, {}, 0.35, 3, 0.363359, 0.365514, -0.146633, 0.00116851),
    ("LSNN", LSNNParameters, {}, 0.5, 2, 1.44151, 1.48973, -0.00514339, 0.00484695),
    ("CobaLIF", CobaLIFParameters, {}, 0.05, 2, 1.21061, 1.21652, -0.00569171, None),
]


@pytest.mark.parametrize(("name", "kind", "extra", "g", "loss", "dg", "detached", "dth", "dtau"), GRADIENTS)
def test_gradients_of_layers(name, kind, extra, g, loss, dg, detached, dth, dtau):
    th = "v_thresh" if name == "CobaLIF" else "v_th"
    wanted = {th: dth} | ({} if dtau is None else {"tau_mem_inv": dtau})
    defaults = kind().lif if name == "LIFRefrac" else kind()
    values = {field: torch.nn.Parameter(torch.tensor(getattr(defaults, field), dtype=F64)) for field in wanted}
    p = LIFRefracParameters(LIFParameters(**values)) if name == "LIFRefrac" else kind(**extra, **values)
    for detach_reset, want in ((False, dg), (True, detached)):
        gain = torch.tensor(g, dtype=F64, requires_grad=True)
        z, _ = getattr(forms, name)(p, detach_reset=detach_reset)(F(1) * gain)
        assert z.sum() == loss
        grads = torch.autograd.grad(z.sum(), [gain, *values.values()])
        assert grads[0].item() == pytest.approx(want, rel=5e-6)
        if not detach_reset:
            assert [d.item() for d in grads[1:]] == pytest.approx(list(wanted.values()), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "detach", "loss", "w00", "w11", "r01", "r20"),
    [
        ("LIFRecurrent", True, 8, 0.190456, 0.273083, 0.00647546, 0.0491454),
        ("LIFRecurrent", False, 8, 0.189297, 0.268152, 0.00644339, 0.0489972),
        ("LSNNRecurrent", True, 3, 0.0144591, 0.788586, 0.000206374, 0.000271783),
        ("LSNNRecurrent", False, 3, 0.0143631, 0.726299, 0.000206184, 0.000271424),
    ],
)
def test_gradients_of_recurrent_layers(name, detach, loss, w00, w11, r01, r20):
    layer = getattr(forms, name)(**recurrent(), detach_reset=detach)
    z, _ = layer(X)
    z.sum().backward()
    w, r = layer.input_weights.grad, layer.recurrent_weights.grad
    assert z.sum() == loss
    assert [w[0, 0].item(), w[1, 1].item(), r[0, 1].item(), r[2, 0].item()] == pytest.approx(
        [w00, w11, r01, r20], rel=5e-6
    )
    assert r.diagonal().tolist() == [0, 0, 0]


# layer, constant input, steps, spike steps (all, or the first ones), number of spikes
CONSTANT = [
    ("LIF", 0.199, 1000, [], 0),
    *(("LIF", x, 1000, [first], n) for x, first, n in (
        (0.2001, 77, 13), (0.21, 34, 34), (0.25, 20, 62), (0.3, 15, 90), (0.5, 8, 199), (1, 5, 332), (5, 1, 999),
        (12, 0, 1000))),
    *(("LIFBox", x, 1000, [first], n) for x, first, n in ((1.1, 22, 43), (1.5, 10, 90), (5, 2, 333), (11, 0, 1000))),
    ("LIFBox", 1.0, 1000, [], 0),
    ("LIFRefrac", 0.5, 39, [8, 18, 28, 38], 4),
    ("LIFEx", 0.09, 400, [], 0),
    ("LIFEx", 0.101, 230, [229], 1),
    ("LIFEx", 0.11, 71, [70], 1),
    ("LIFEx", 0.15, 29, [28], 1),
    ("LIFEx", 0.2, 34, [18, 33], 2),
    ("LIFEx", 0.5, 18, [7, 12, 17], 3),
    ("LIFAdEx", 0.15, 3000, [36], 1),
    ("LIFAdEx", 0.2, 3000, [19, 38, 62], 3),
    ("LIFAdEx", 0.3, 3000, [12, 21, 31, 41, 52], 12),
    ("LSNN", 0.19, 3000, [], 0),
    ("LSNN", 0.5, 3000, [9, 155, 786, 1417, 2047, 2678], 6),
    ("LSNN", 1, 3000, [6, 15, 37, 260, 557], 13),
    *(("CobaLIF", x, 1000, [first], n) for x, first, n in (
        (0.01, 44, 14), (0.02, 14, 33), (0.05, 6, 77), (0.1, 4, 143))),
    ("CobaLIF", 0, 100, [], 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "x", "steps", "first", "count"), CONSTANT)
def test_spikes_under_constant_input(name, x, steps, first, count):
    z, _ = getattr(forms, name)()(torch.full((steps,), x, dtype=F64))
    assert z.sum() == count
    assert z.nonzero().flatten()[: len(first)].tolist() == first


@pytest.mark.parametrize(("rho_reset", "interval"), [(0, 1), (0.5, 2), (1, 2), (2, 3), (2.5, 4), (5, 6)])
def test_refractory_period_blocks_its_ceiling_in_steps(rho_reset, interval):
    z, _ = forms.LIFRefrac(LIFRefracParameters(rho_reset=rho_reset))(torch.full((20,), 9.0, dtype=F64))
    assert z.nonzero().flatten().tolist() == list(range(1, 20, interval))


def test_impulse_responses_and_gain_of_integrators():
    impulse = torch.zeros(200, dtype=F64)
    impulse[0] = 1
    t = torch.arange(200, dtype=F64)
    torch.testing.assert_close(forms.LI()(impulse)[0], 0.9 ** (t + 1) - 0.8 ** (t + 1))
    torch.testing.assert_close(forms.LIBox()(impulse)[0], 0.1 * 0.9**t)
    _, state = forms.LI()(torch.full((500,), 3.0, dtype=F64))
    torch.testing.assert_close(torch.stack(state), torch.full((2,), 15.0, dtype=F64).mul(torch.tensor([1, 0.8])))


def test_conductances_relax_to_rest():
    state = neurons.CobaLIFFeedForwardState(torch.tensor(-40.0, dtype=F64), 0.0, 0.0)
    _, state = forms.CobaLIF()(torch.zeros(20, dtype=F64), state)
    assert state.v.item() == pytest.approx(-27.169718)


def test_exponent_is_clamped_far_above_threshold():
    state = neurons.LIFAdExFeedForwardState(torch.tensor(200.0, requires_grad=True), 0.0, 0.0)
    z, new = forms.LIFAdExCell()(torch.tensor(0.0), state)
    assert (z.item(), new.v.item(), new.a.item()) == pytest.approx((1, 0, 1.62))
    assert math.isfinite(torch.autograd.grad(new.a, state.v)[0])


def test_one_step_reset_gradient():
    p = LIFParameters(v_reset=-5.0)
    for detach_reset, want in ((False, 0.773361), (True, 0.9)):
        v = torch.tensor(1.05, dtype=F64, requires_grad=True)
        z, state = forms.LIFCell(p, detach_reset=detach_reset)(
            torch.zeros((), dtype=F64), neurons.LIFFeedForwardState(v, 0.0)
        )
        assert z == 0
        assert torch.autograd.grad(state.v, v)[0].item() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize(
    ("panel", "count", "old_v", "first", "last"),
    [(panel, *row) for panel, row in zip(PANELS, [
        (5, 5, 13, 86.75), (1, 1, 43.75, 43.75), (28, 29, 25, 204.5), (6, 7, 39, 67.2), (6, 6, 20, 131.5),
        (6, 6, 10.25, 71.5), (10, 10, 84.5, 290.5), (14, 16, 105.75, 293), (1, 1, 26.6, 26.6), (1, 1, 26.5, 26.5),
        (1, 1, 338, 338), (1, 1, 20, 20), (1, 1, 68, 68), (7, 11, 68, 92.2), (1, 1, 93.25, 93.25), (5, 7, 45.25, 208),
        (1, 4, 11.3, 11.3), (1, 64, 311.5, 311.5), (3, 4, 94.5, 236), (12, 390, 86.5, 204),
    ], strict=True)],
    ids=[panel.name for panel in PANELS],
)  # fmt: skip
def test_izhikevich_behaviours(panel, count, old_v, first, last):
    p, s = getattr(neurons, panel.name)
    behavior = neurons.IzhikevichSpikingBehavior(p._replace(tau_inv=1000), s)
    times = [n * panel.tau for n in range(round(panel.end / panel.tau) + 1)]
    x = torch.tensor([panel.current(t) for t in times], dtype=F64)
    z, _ = forms.Izhikevich(behavior, dt=panel.tau / 1000, recovery=panel.recovery)(x)
    fired = [times[n] for n in z.nonzero().flatten().tolist()]
    assert len(fired) == count
    assert (fired[0], fired[-1]) == pytest.approx((first, last))
    z, _ = forms.Izhikevich(behavior, dt=panel.tau / 1000)(x)
    assert z.sum() == old_v


def test_presets_are_constants():
    p, s = neurons.tonic_spiking
    assert (p.a, p.b, p.c, p.d, p.tau_inv, *s) == (0.02, 0.2, -65, 6, 250, -70, -14)
    start = neurons.IzhikevichState(torch.tensor([-70.0]), torch.tensor([-14.0]))
    behavior = neurons.IzhikevichSpikingBehavior(p._replace(a=torch.tensor([0.02])), start)
    layer = forms.Izhikevich(behavior)
    start.v.fill_(99)
    behavior.p.a.fill_(99)
    assert layer.initial_state(torch.zeros(3, 1)).v.item() == -70
    assert layer.p.a.item() == pytest.approx(0.02)
    layer(torch.zeros(3, 1))
    assert not start.v.requires_grad


def test_biological_parameter_sets_run_in_their_units():
    for kind, name, dt in [
        (IAFParameters, "IAF", 1), (LIParameters, "LI", 1), (LIFParameters, "LIF", 1), (LIFExParameters, "LIFEx", 1),
        (LIFAdExParameters, "LIFAdEx", 1), (LSNNParameters, "LSNN", 1), (CobaLIFParameters, "CobaLIF", 0.25),
    ]:  # fmt: skip
        out, state = getattr(forms, name)(kind.bio_default(), dt=dt)(torch.zeros(50, dtype=F64))
        assert torch.isfinite(torch.stack([out[-1], *state])).all()
        if name != "LI":
            assert out.sum() == 0
    assert neurons.LSNNParameters.bio_default().beta == 0.5
    assert neurons.CobaLIFParameters.bio_default().g_l == 0.25


@pytest.mark.parametrize("name", sorted(name for name in neurons.__all__ if name.endswith("State")))
def test_states_can_be_written_with_a_program(name):
    """A tree of them goes through text, by their names: what an exported program is saved with."""
    kind = getattr(neurons, name)
    tree = tree_structure([kind(*[0.0] * len(kind._fields))])
    assert treespec_loads(treespec_dumps(tree)) == tree


def test_zero_input_with_norse_conductances_starts_from_a_passed_state():
    p = CobaLIFParameters.norse_default()
    state = neurons.CobaLIFFeedForwardState(0.0, 0.0, 0.0)
    z, state = forms.CobaLIFFeedForwardCell(p)(torch.zeros(()), state)
    assert (z.item(), state.v.item()) == (1, -70)


def test_the_figure_of_the_behaviours_is_drawn(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    script = Path(__file__).parents[1] / "docs" / "gallery" / "izhikevich.py"
    spec = importlib.util.spec_from_file_location("izhikevich_figure", script)
    figure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figure)
    for letter, panel in zip(figure.LETTERS, PANELS, strict=True):
        t, v = figure.voltage(panel)
        assert t[-1].item() == pytest.approx(panel.end)
        assert (v == 30).any()
        line = figure.input_line(letter, panel, t)
        assert -90 <= line.min() < line.max() <= -60
    figure.figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 50_000
