"""Golden numbers and gradients of every neuron model (float64, computed independently), and its own rules."""

import pytest
import torch

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
@pytest.mark.parametrize(
    ("name", "kwargs", "x", "want", "state"), GOLDEN, ids=[f"{g[0]}-{i}" for i, g in enumerate(GOLDEN)]
)
def test_golden_numbers(name, kwargs, x, want, state, dtype):
    out, final = getattr(forms, name)(**kwargs).to(dtype)(x.to(dtype))
    fields = dict(dotted(final))
    tolerance = 1e-6 if dtype == F64 else 1e-4 if "Izhikevich" in name else 1e-5
    if want is None:
        torch.testing.assert_close(out[-1], fields["v"])
    else:
        assert spikes(out) == want
    for field, value in state.items():
        value = torch.tensor(value, dtype=dtype)
        torch.testing.assert_close(
            fields[field], value, rtol=tolerance, atol=tolerance, msg=lambda m, f=field: f"{f}: {m}"
        )
