"""Spike functions: the step forward, the derivative backward."""

import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import surrogate
from eventsnn.surrogate import METHODS, spike_function, threshold

SMOOTH = [name for name in METHODS if name != "heaviside"]
U = [0.0, 0.01, -0.01, 0.1, -0.1]

# derivatives at U for alpha 100 (or as given), symmetric in u
VALUES = [
    ("super", 100, 1, 0.25, 0.00826446),
    ("superspike", 100, 1, 0.25, 0.00826446),
    ("triangle", 100, 100, 99, 90),
    ("triangle", 0.3, 0.3, 0.297, 0.27),
    ("tanh", 100, 1, 0.419974, 8.24461e-9),
    ("circ", 100, 1, 1.0, 0.999999),
    ("circ", 0.1, 1, 0.985185, 0.353553),
    ("heavi_erfc", 100, 1.128379, 0.415107, 4.2e-44),
    ("atan", 2, 1, 1 / (1 + (math.pi * 0.01) ** 2), 1 / (1 + (math.pi * 0.1) ** 2)),
    ("sigmoid", 4, 1, 4 * math.exp(-0.04) / (1 + math.exp(-0.04)) ** 2, 4 * math.exp(-0.4) / (1 + math.exp(-0.4)) ** 2),
]


@pytest.mark.parametrize(("method", "alpha", "at_0", "at_1", "at_10"), VALUES)
def test_derivatives(method, alpha, at_0, at_1, at_10):
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    for a in (alpha, torch.tensor(float(alpha), dtype=torch.float64, requires_grad=True)):
        z = threshold(u, method, a)
        assert z.tolist() == [0, 1, 0, 1, 0]
        (grad,) = torch.autograd.grad((z * torch.tensor([1, 2, 3, 4, 5])).sum(), u)
        want = [at_0, 2 * at_1, 3 * at_1, 4 * at_10, 5 * at_10]
        assert grad.tolist() == pytest.approx(want, rel=1e-5 if method != "heavi_erfc" else 0.02)


@pytest.mark.parametrize("method", METHODS)
@given(u=st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=6))
def test_forward_is_the_step_for_every_number(method, u):
    x = torch.tensor(u)
    assert threshold(x, method, 1.0).tolist() == [float(value > 0) for value in u]
    assert surrogate.sign(x, method, 1.0).tolist() == [1.0 if value > 0 else -1.0 for value in u]


@pytest.mark.parametrize("method", SMOOTH)
def test_transforms_dtypes_and_second_derivatives(method):
    u = torch.linspace(-0.3, 0.3, 6, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(torch.func.vmap(lambda v: threshold(v, method, 2.0))(u), threshold(u, method, 2.0))
    (first,) = torch.autograd.grad(threshold(u, method, 2.0).sum(), u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u)
    step = 1e-6
    ahead = torch.autograd.grad(threshold(v := u + step, method, 2.0).sum(), v)[0]
    torch.testing.assert_close(second, (ahead - first).detach() / step, rtol=1e-3, atol=1e-4)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert threshold(u.to(dtype), method).dtype == dtype


def test_alpha_never_receives_a_gradient():
    alpha = torch.tensor(2.0, requires_grad=True)
    u = torch.ones(3, requires_grad=True)
    threshold(u, "super", alpha).sum().backward()
    assert alpha.grad is None
    assert u.grad is not None


def test_heaviside_has_no_gradient():
    assert not surrogate.heaviside(torch.ones(2, requires_grad=True)).requires_grad


@pytest.mark.parametrize(("function", "alpha", "same"), [("logistic_fn", 2.0, "tanh"), ("circ_dist_fn", 0.5, "circ")])
def test_random_spikes_have_their_rate_and_derivative(function, alpha, same):
    torch.manual_seed(0)
    u = torch.full((20000,), 0.3, requires_grad=True)
    z = getattr(surrogate, function)(u, alpha)
    rate = 0.5 + (math.tanh(alpha * 0.3) / 2 if same == "tanh" else 0.15 / math.hypot(0.3, alpha))
    assert set(z.unique().tolist()) == {0.0, 1.0}
    assert z.mean().item() == pytest.approx(rate, abs=0.015)
    (got,) = torch.autograd.grad(z.sum(), u)
    (want,) = torch.autograd.grad(threshold(u, same, alpha).sum(), u)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", ["adjoint", "logistic", "Super", ""])
def test_unknown_methods_list_the_known_ones(name):
    with pytest.raises(
        ValueError, match=r"super, superspike, triangle, tanh, circ, heavi_erfc, heaviside, atan, sigmoid"
    ):
        threshold(torch.zeros(1), name)


@spike_function
def gaussian(u, alpha):
    return torch.exp(-((alpha * u) ** 2))


def test_a_function_may_take_the_place_of_a_name():
    u = torch.tensor([0.1], requires_grad=True)
    threshold(u, gaussian, 10.0).backward()
    assert u.grad.item() == pytest.approx(math.exp(-1))
    assert pickle.loads(pickle.dumps(gaussian)) is gaussian


def test_public_names():
    assert sorted(surrogate.__all__) == surrogate.__all__
    assert all(callable(getattr(surrogate, name)) for name in surrogate.__all__)
