"""Receptive fields: exact numbers, covariance laws, and what the modules must survive."""

import copy
import io
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from eventsnn.fields import (
    ParameterizedSpatialReceptiveField2d,
    SampledSpatialReceptiveField2d,
    SpatialReceptiveField2d,
    SpatioTemporalReceptiveField2d,
    TemporalReceptiveField,
    calculate_normalization,
    covariance_matrix,
    derivative_orders,
    derive_kernel,
    derive_spatial_receptive_field,
    derive_spatial_receptive_field_single,
    gaussian_kernel,
    spatial_parameters,
    spatial_receptive_field,
    spatial_receptive_fields_with_derivatives,
    spatio_temporal_parameters,
    temporal_kernel,
    temporal_scale_distribution,
    truncation_radius,
)
from eventsnn.forms import LIBoxCell, LIFBox, LIFBoxCell
from eventsnn.neurons.li_box import LIBoxParameters, LIBoxState
from eventsnn.neurons.lif_box import LIFBoxParameters, reset_subtract, reset_value

F64 = torch.float64


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=F64)


def field(size: int, scale: float, angle: float, ratio: float, dx: int = 0, dy: int = 0, **options) -> Tensor:
    return spatial_receptive_field(number(scale), number(angle), number(ratio), 0, 0, size, dx, dy, **options)


def matrix(cxx: float, cxy: float, cyy: float) -> Tensor:
    return torch.tensor([[cxx, cxy], [cxy, cyy]], dtype=F64)


def moments(kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sum, mean (x, y), covariance of a kernel about the window's middle."""
    n = torch.arange(kernel.shape[-1], dtype=kernel.dtype) - (kernel.shape[-1] - 1) / 2
    points = torch.stack(torch.meshgrid(n, n, indexing="xy")).flatten(1)
    weights = kernel.flatten()
    mean = points @ weights / weights.sum()
    offset = points - mean[:, None]
    return weights.sum(), mean, (offset * weights) @ offset.T / weights.sum()


def close(actual: Tensor, expected, tolerance: float) -> None:
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=actual.dtype), rtol=0, atol=tolerance)


def full_convolution(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(a[None, None], b.flip(0, 1)[None, None], padding=b.shape[0] - 1)[0, 0]


# --- kernels: golden numbers ---------------------------------------------------------------------------------------

LINES = {
    0.5: (0.645035270449, 0.156420803185, 0.019352057710, 0.001604341508, 0.000099959619),
    2.0: (0.308508322554, 0.215269289249, 0.093239033305, 0.028791222639, 0.006865365386, 0.001329761094),
}


@pytest.mark.parametrize("scale", LINES)
def test_isotropic_kernel_is_the_product_of_bessel_lines(scale):
    kernel = gaussian_kernel(41, scale * torch.eye(2, dtype=F64), 0, 0)
    line = torch.tensor(LINES[scale], dtype=F64)
    close(kernel[20 : 20 + len(line), 20 : 20 + len(line)], torch.outer(line, line), 2e-12)


@pytest.mark.parametrize(
    ("s1", "s2", "phi", "expected"),
    [
        (2.0, 1.0, math.pi / 6, (0.098060353946, 0.0711762724, 0.0515920397, 0.0607778679, 0.0275144558)),
        (3.0, 1.0, math.pi / 4, (0.060953852217, 0.0405056017, 0.0405056017, 0.0534172483, 0.0176683946)),
    ],
)
def test_anisotropic_kernel(s1, s2, phi, expected):
    kernel = gaussian_kernel(65, covariance_matrix(number(s1), number(s2), number(phi)), 0, 0)
    close(kernel[[32, 32, 33, 33, 31], [32, 33, 32, 33, 33]], expected, 1e-10)


def mirrored(*values: float, sign: int = 1) -> list[float]:
    return [*values, *(sign * v for v in reversed(values[:-1]))]


WINDOWED = [  # scale, angle, ratio, order, options, row, values, tolerance 2e-9
    (1, 0, 1, (0, 0), {}, 2, mirrored(0.024146617, 0.100529758, 0.225206133)),
    (1, 0, 1, (1, 0), {}, 2, mirrored(0.062299446, 0.139562827, 0, sign=-1)),
    (1, 0, 1, (2, 0), {}, 2, mirrored(0.124598891, 0.029927872, -0.309053526)),
    (1, 0, 1, (1, 1), {}, 1, mirrored(0.031149723, 0.069781414, 0, sign=-1)),
    (2, 0.5, 1.5, (0, 0), {}, 0, [0.028798131, 0.024132899, 0.013144700, 0.005157517, 0.001560985]),
    (2, 0.5, 1.5, (0, 0), {}, 2, mirrored(0.042531346, 0.089668264, 0.121621561)),
    (2, 0.5, 1.5, (1, 0), {}, 1, [0.112454201, 0.159945723, 0.029400328, -0.016963391, -0.044887478]),
    (2, 0.5, 1.5, (1, 0), {}, 2, mirrored(0.130863701, 0.140585127, 0, sign=-1)),
    (2, 0.5, 1.5, (0, 1), {}, 2, mirrored(-0.031773852, -0.073126122, 0, sign=-1)),
]
NORSE = {"kernel": "sampled", "normalization": "norse", "domain": 4}
SAMPLED = [  # order, row, values, tolerance 2e-8
    ((0, 0), 1, [0.03428784, 0.09887102, 0.05110809, 0.00473590, 0.00007867]),
    ((0, 0), 2, mirrored(0.01028967, 0.13557008, 0.32019751)),
    ((1, 0), 0, [0.02820110, 0.09066900, 0.04719732, 0.00435460, 0.00006805]),
    ((1, 0), 2, mirrored(0.20348705, 0.22683893, 0, sign=-1)),
    ((0, 1), 2, mirrored(-0.15014663, -0.23118908, 0, sign=-1)),
]


@pytest.mark.parametrize(("scale", "angle", "ratio", "order", "options", "row", "values"), WINDOWED)
def test_windowed_kernels(scale, angle, ratio, order, options, row, values):
    close(field(5, scale, angle, ratio, *order, **options)[row], values, 2e-9)


def test_windowed_kernel_in_domain_units():
    smooth, edge = (field(5, 2, 0.5, 1.5, dx, 0, domain=4) for dx in (0, 1))
    close(torch.stack([smooth[2, 2], smooth[2, 3], edge[2, 3]]), [0.431116377, 0.113703711, -0.201279158], 2e-9)


@pytest.mark.parametrize(("order", "row", "values"), SAMPLED)
def test_sampled_kernels_with_alternating_derivatives(order, row, values):
    close(field(5, 2, 0.5, 1.5, *order, **NORSE)[row], values, 2e-8)


def test_sampled_kernels_elsewhere():
    mixed = field(5, 2, 0.5, 1.5, 1, 1, **NORSE)
    close(mixed[[2, 0], [2, 0]], [0.09323927, 0.09576929], 2e-8)
    options = {"kernel": "sampled", "domain": 4}
    for order, expected in (((1, 0), -0.112169707), ((0, 1), 0.137876828)):
        close(field(5, 2, 0.5, 1.5, *order, **options)[2, 3], expected, 2e-9)
    close(field(5, 2, 0.5, 1.5, 2, 0, **options)[2, 2], -0.320197512, 2e-9)
    moved = spatial_receptive_field(number(2), number(0.5), number(1.5), 1, -0.5, 5, **options)
    close(moved[2], [0.00051804, 0.02356885, 0.19222280, 0.28103685, 0.07365690], 2e-8)


def test_off_grid_centre():
    total, mean, covariance = moments(gaussian_kernel(33, torch.eye(2, dtype=F64), 1.3, 0.3))
    close(total, 1, 1e-12)
    close(mean, [1.3, 0.3], 1e-10)
    close(covariance, torch.eye(2), 1e-10)


def test_whole_pixel_centre_is_a_shift():
    kernel = gaussian_kernel(41, matrix(2, 0.5, 1), 3, -2)
    close(kernel, gaussian_kernel(41, matrix(2, 0.5, 1), 0, 0).roll((-2, 3), (0, 1)), 1e-12)


L1 = {(1, 0): (0.673670, 0.771506, 0.791575, 0.796322), (2, 0): (1.031397, 0.977989, 0.966480, 0.967080)}


@pytest.mark.parametrize("order", L1)
def test_l1_norms(order):
    kernels = [field(2 * math.ceil(10 * math.sqrt(s)) + 17, s, 0, 1, *order) for s in (1, 4, 16, 64)]
    close(torch.stack([k.abs().sum() for k in kernels]), L1[order], 1e-6)
    normed = field(9, 1.0, 0.3, 1.2, *order, normalization="l1")
    close(normed.abs().sum(), {(1, 0): 0.797885, (2, 0): 0.967883}[order], 1e-6)


# --- kernels: laws -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:c has:UserWarning")  # the sum and the covariance are exact all the same
@pytest.mark.parametrize(("s1", "s2", "phi"), [(0.3, 0.3, 0.0), (1.0, 0.3, 0.6), (2.0, 1.0, 0.5), (4.0, 1.5, 2.1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(F64, 1e-12), (torch.float32, 1e-4)])
def test_moments(s1, s2, phi, dtype, tolerance):
    wanted = covariance_matrix(*(torch.tensor(v, dtype=dtype) for v in (s1, s2, phi)))
    size = 2 * math.ceil(8 * s1) + 17  # the tails of small discrete scales fall off more slowly than a Gaussian's
    total, mean, covariance = moments(gaussian_kernel(size, wanted, 0, 0))
    close(total, 1, tolerance)
    close(mean, [0.0, 0.0], tolerance)
    close(covariance, wanted, tolerance * max(1, s1**2))


def test_semigroup():
    a, b = matrix(2, 0.6, 1), matrix(1, 0.3, 1.5)
    both = gaussian_kernel(129, a + b, 0, 0)
    close(full_convolution(gaussian_kernel(65, a, 0, 0), gaussian_kernel(65, b, 0, 0)), both, 1e-14)


def test_semigroup_across_signs_needs_the_same_q():
    a, b = matrix(2, 1, 2), matrix(2, -1, 2)
    exact = gaussian_kernel(129, a + b, 0, 0, q=number(2.0))
    parts = full_convolution(gaussian_kernel(65, a, 0, 0, q=number(1.0)), gaussian_kernel(65, b, 0, 0, q=number(1.0)))
    close(parts, exact, 1e-14)
    assert 1e-5 < (parts - gaussian_kernel(129, a + b, 0, 0)).abs().max() < 1e-2


def test_diffusion_equation():
    """dT/dCxx = d_xx T / 2, dT/dCxy = d_x d_y T, dT/dCyy = d_yy T / 2."""
    entries = torch.tensor([2.0, 0.5, 1.5], dtype=F64)

    def kernel(e: Tensor) -> Tensor:
        return gaussian_kernel(35, torch.stack([e[0], e[1], e[1], e[2]]).reshape(2, 2), 0, 0, q=number(0.5))

    slopes = torch.stack([torch.autograd.functional.jvp(kernel, entries, e)[1] for e in torch.eye(3, dtype=F64)])
    t = kernel(entries)
    orders = [(2, 0), (1, 1), (0, 2)]
    derived = derive_spatial_receptive_field(t, 1.0, 0.0, orders, normalization="none")
    close(slopes, derived * number(1.0) * torch.tensor([0.5, 1, 0.5], dtype=F64)[:, None, None], 1e-12)


@pytest.mark.parametrize("order", [(m, n) for m in range(5) for n in range(5) if m + n <= 4])
def test_rotation_by_a_quarter_turn(order):
    kernel = field(15, 1.7, 0.4, 1.4, *order)
    tolerance = 1e-14 * max(1.0, float(kernel.abs().max()))
    close(field(15, 1.7, 0.4 + math.pi / 2, 1.4, *order), kernel.rot90(-1), tolerance)


def test_steerability():
    phi = 0.7
    cs, sn = math.cos(phi), math.sin(phi)
    parts = {order: field(13, 2, 0, 1, *order) for order in derivative_orders(2)}
    close(field(13, 2, phi, 1, 1, 0), cs * parts[1, 0] + sn * parts[0, 1], 1e-14)
    second = cs**2 * parts[2, 0] + 2 * cs * sn * parts[1, 1] + sn**2 * parts[0, 2]
    # the window of the three differs by no ring: same total order
    close(field(13, 2, phi, 1, 2, 0), second, 1e-14)


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.05, 30),
    angle=st.floats(-4, 4),
    ratio=st.floats(0.4, 2.5),
    order=st.sampled_from(derivative_orders(4)),
    size=st.sampled_from([5, 7, 11, 17]),
)
def test_moment_of_the_own_order_is_exact_in_any_window(scale, angle, ratio, order, size):
    """sum u^m v^n k = (-1)^(m+n) m! n! s1^m s2^n, and lower moments vanish."""
    kernel = field(size, scale, angle, ratio, *order)
    n = torch.arange(size, dtype=F64) - size // 2
    right, down = n[None, :], n[:, None]
    u, v = right * math.cos(angle) + down * math.sin(angle), down * math.cos(angle) - right * math.sin(angle)
    m, k = order
    unit = (math.sqrt(scale) * ratio) ** m * (math.sqrt(scale) / ratio) ** k
    expected = (-1) ** (m + k) * math.factorial(m) * math.factorial(k)
    close((u**m * v**k * kernel).sum() / unit, expected, 1e-8)
    close(kernel.sum() / unit, float(m + k == 0), 1e-9)


def laplacian_response(image: Tensor, scale: float) -> Tensor:
    """Normalised Laplacian at the centre of an image, by the sum over a wide kernel."""
    t = gaussian_kernel(image.shape[0], scale * torch.eye(2, dtype=F64), 0, 0)
    xx, yy = derive_spatial_receptive_field(t, 1.0, 0.0, [(2, 0), (0, 2)], normalization="none")
    return scale * ((xx + yy) * image).sum()


def blob(s0: float, half: int) -> Tensor:
    n = torch.arange(-half, half + 1, dtype=F64)
    return torch.exp(-(n[None] ** 2 + n[:, None] ** 2) / (2 * s0))


def test_scale_selection():
    for s0, exact, sampled in zip(
        (4, 9, 16),
        (-0.535781470833, -0.514675365637, -0.508052034151),
        (-0.507855712, -0.503482863, -0.501956696),
        strict=True,
    ):
        half = 10 * int(math.sqrt(s0))
        diffused = 2 * math.pi * s0 * gaussian_kernel(2 * half + 1, s0 * torch.eye(2, dtype=F64), 0, 0)
        close(laplacian_response(diffused, s0), exact, 1e-10)
        close(laplacian_response(blob(s0, half), s0), sampled, 1e-8)
    scales = (1, 2, 4, 6, 9, 12, 16, 24, 32)
    responses = torch.stack([laplacian_response(blob(9, 45), s).abs() for s in scales])
    close(responses, [0.1768, 0.2944, 0.4253, 0.4815, 0.5035, 0.4940, 0.4651, 0.4003, 0.3455], 6e-5)


@pytest.mark.parametrize(("s0", "peak"), [(4, 4.132), (9, 9.126), (16, 16.128), (36, 36.18), (64, None)])
def test_scale_of_the_extremum(s0, peak):
    image = blob(s0, int(6 * math.sqrt(s0)))
    scales = torch.linspace(0.97, 1.06, 31, dtype=F64) * s0
    responses = torch.stack([laplacian_response(image, s) for s in scales.tolist()])
    a, b, _ = torch.linalg.lstsq(
        torch.stack([scales**2, scales, torch.ones_like(scales)], 1), responses[:, None]
    ).solution.flatten()
    close(-b / (2 * a) / s0, 1.0 if peak is None else peak / s0, 5e-3)
    if s0 >= 9:
        close(responses.min(), -0.5, 5e-3)


TURN = [[math.cos(math.pi / 6), -math.sin(math.pi / 6)], [math.sin(math.pi / 6), math.cos(math.pi / 6)]]
MAPS = {  # map: (tolerance of the image, of the gradient), at the covariances below and at four times them
    "double": ([[2.0, 0.0], [0.0, 2.0]], {1: (4e-3, 2e-2), 4: (1.5e-3, 4e-3)}),
    "turn": (TURN, {1: (2.5e-3, 2e-2), 4: (8e-4, 4e-3)}),
    "shear": ([[1.4, 0.5], [-0.2, 1.1]], {1: (2.5e-3, 2e-2), 4: (8e-4, 4e-3)}),
}


def two_blobs(a: Tensor, grow: int) -> Tensor:
    """g1 - 0.7 g2 on 257 x 257 pixels, carried along by the map a."""
    n = torch.arange(257, dtype=F64) - 128
    points = torch.stack(torch.meshgrid(n, n, indexing="xy"), -1)
    image = torch.zeros(257, 257, dtype=F64)
    blobs = ((1, (30, 8, 12), (6, -4)), (-0.7, (10, -3, 25), (-8, 7)))
    for height, entries, centre in blobs:
        offset = points - a @ torch.tensor(centre, dtype=F64)
        precision = torch.linalg.inv(grow * a @ matrix(*entries) @ a.T)
        image += height * torch.exp(-torch.einsum("yxi,ij,yxj->yx", offset, precision, offset) / 2)
    return image


def smooth(image: Tensor, covariance: Tensor) -> Tensor:
    kernel = gaussian_kernel(257, covariance, 0, 0)
    return torch.fft.ifft2(torch.fft.fft2(image) * torch.fft.fft2(torch.fft.ifftshift(kernel))).real


def read(image: Tensor, points: Tensor) -> Tensor:
    """Trigonometric interpolation at points (P, 2) = (x, y) about the middle pixel."""
    modes = 2j * math.pi * torch.fft.fftfreq(257, dtype=F64)
    waves = [torch.exp((points[:, axis, None] + 128) * modes) for axis in (0, 1)]
    return torch.einsum("py,yx,px->p", waves[1], torch.fft.fft2(image), waves[0]).real / 257**2


def gradient(image: Tensor) -> Tensor:
    return torch.stack([(image.roll(-1, axis) - image.roll(1, axis)) / 2 for axis in (1, 0)])


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("grow", [1, 4])
def test_affine_covariance(name, grow):
    """L'(A x; A S A^T) = L(x; S), and |S'^(1/2) grad' L'| = |S^(1/2) grad L|."""
    entries, tolerances = MAPS[name]
    a, one = torch.tensor(entries, dtype=F64), torch.eye(2, dtype=F64)
    still, moved = grow * matrix(9, 2, 6), grow * a @ matrix(9, 2, 6) @ a.T
    before, after = smooth(two_blobs(one, grow), still), smooth(two_blobs(a, grow), moved)
    n = torch.arange(-20, 21, 4, dtype=F64)
    points = torch.cartesian_prod(n, n)
    points = points[points.norm(dim=1) <= 20]
    wanted = read(before, points)
    close(read(after, points @ a.T) / wanted.abs().max(), wanted / wanted.abs().max(), tolerances[grow][0])

    def slope(image: Tensor, covariance: Tensor, at: Tensor) -> Tensor:
        g = torch.stack([read(part, at) for part in gradient(image)])
        return torch.einsum("ip,ij,jp->p", g, covariance, g).sqrt()

    wanted = slope(before, still, points)
    close(slope(after, moved, points @ a.T) / wanted.max(), wanted / wanted.max(), tolerances[grow][1])


def test_translation_covariance():
    module = SpatialReceptiveField2d(1, 15, table(), padding=7)
    image = torch.zeros(1, 60, 60)
    image[0, 20:26, 18:30] = torch.randn(6, 12)
    moved = module(image.roll((5, -3), (1, 2)))
    close(moved, module(image).roll((5, -3), (1, 2)), 1e-6)


# --- tables --------------------------------------------------------------------------------------------------------


def test_parameter_table():
    table = spatial_parameters(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5, 1.0]), 1)
    assert table.shape == (18, 7)
    assert table[:12, 2].eq(0.5).all()
    assert table[12:, 2].eq(1).all()
    assert table[12:, 1].eq(0).all()
    assert table[:3].tolist() == [[1, 0, 0.5, 0, 0, m, n] for m, n in ((0, 0), (0, 1), (1, 0))]
    assert table[:12:3, :2].tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert spatial_parameters([1.0, 2.0], [0.0, 1.0], [0.5, 1.0], 1, include_replicas=True).shape == (24, 7)
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    ratios = [1.0, math.sqrt(1.5), 1.5]
    assert spatial_parameters([1.0, 2.0, 4.0, 8.0], [0.0, 0.8, 1.6, 2.4], ratios, pairs).shape == (144, 7)
    by_tensor = spatial_parameters([1.0], [0.0], [1.0], torch.tensor(pairs), [0.5, 1.0], [0.0])
    assert by_tensor[:, 3:].tolist() == [[x, 0.0, *pair] for x in (0.5, 1.0) for pair in pairs]


def test_spatio_temporal_table():
    table = spatio_temporal_parameters([1.0], [0.0], [1.0], 1, [1.0, 2.0], x=[3.0])
    assert table.shape == (6, 8)
    assert table[:, 7].tolist() == [1, 2] * 3
    assert table[::2, 5:7].tolist() == [[0, 0], [0, 1], [1, 0]]


def test_truncation_radius():
    deviations = {1e-1: 1.949, 1e-2: 2.806, 1e-3: 3.481, 1e-4: 4.056}
    for epsilon, wanted in deviations.items():
        assert truncation_radius(1e6, epsilon) == pytest.approx(1000 * wanted, abs=1)
    assert truncation_radius(torch.tensor([1.0, 4.0])).tolist() == [3, 6]


def test_batches_equal_single_calls():
    table = spatial_parameters([1.0, 2.0], [0.3, 1.0], [0.7, 1.0], derivative_orders(3), [0.0, 0.4], [-1.3]).to(F64)
    bank = spatial_receptive_fields_with_derivatives(table, 11)
    single = [spatial_receptive_field(*(v for v in row[:5]), 11, int(row[5]), int(row[6])) for row in table[::7]]
    close(bank[::7], torch.stack(single), 1e-14)
    sampled = spatial_receptive_fields_with_derivatives(table, 11, 5, kernel="sampled", normalization="norse")
    first = [
        derive_spatial_receptive_field_single(
            spatial_receptive_field(*row[:5], 11, domain=5, kernel="sampled"),
            row[0],
            row[1],
            *row[5:].int().tolist(),
            normalization="norse",
        )
        for row in table[::7]
    ]
    close(sampled[::7], torch.stack(first), 1e-14)


def test_batch_dimensions_broadcast():
    covariances, x = (
        torch.stack([matrix(1, 0, 2), matrix(2, 0.5, 1)])[:, None],
        torch.tensor([0.0, 0.5, 2.0], dtype=F64),
    )
    for kernel in ("discrete", "sampled"):
        many = gaussian_kernel(7, covariances, x, 0.25, kernel=kernel, domain=3)
        assert many.shape == (2, 3, 7, 7)
        close(many[1, 2], gaussian_kernel(7, covariances[1, 0], x[2], 0.25, kernel=kernel, domain=3), 1e-14)
    fields = spatial_receptive_field(
        x + 1, 0.3, torch.tensor([[1.0], [1.2]], dtype=F64), 0, x, 7, 1, torch.tensor([0, 1, 2])
    )
    assert fields.shape == (2, 3, 7, 7)
    close(fields[1, 2], spatial_receptive_field(x[2] + 1, 0.3, number(1.2), 0, x[2], 7, 1, 2), 1e-14)


def test_normalization_factors():
    assert calculate_normalization(3, 4.0) == 8
    assert calculate_normalization(2, 4.0, 0.5) == 2
    assert calculate_normalization(1, 4.0, normalization="norse") == 4
    assert derive_kernel(torch.eye(3), torch.tensor(0.0)).tolist() == [[-1, -0.5, 0], [1, 0, -1], [0, 0.5, 1]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spatial_receptive_field(0.0, 0, 1, 0, 0, 5), "scale must be positive"),
        (lambda: spatial_receptive_field(1.0, 0, -1.0, 0, 0, 5), "ratio must be positive"),
        (lambda: spatial_receptive_field(math.nan, 0, 1, 0, 0, 5), "scale must be positive and finite, got nan"),
        (lambda: spatial_receptive_field(1.0, math.nan, 1, 0, 0, 5), "angle must be finite"),
        (lambda: spatial_receptive_field(1.0, 0, 1, 0, 0, 6), "size must be odd.* got 6"),
        (lambda: SpatialReceptiveField2d(1, 9, torch.tensor([[-2.0, 0, 1, 0, 0, 0, 0]])), "and finite, got -2"),
        (
            lambda: spatial_receptive_field(1.0, 0, 1, 0, 0, 5, 0.5),
            "derivative orders, whole numbers at least 0, got 0.5",
        ),
        (lambda: spatial_receptive_field(1.0, 0, 1, 0, 0, 3, 3, 0), "at most 2 in a window of 3 pixels"),
        (lambda: spatial_receptive_field(1.0, 0, 1, 0, 0, 5, normalization="norse"), "needs kernel='sampled'"),
        (lambda: spatial_receptive_field(1.0, 0, 1, 0, 0, 5, kernel="exact"), "kernel must be one of"),
        (lambda: spatial_receptive_fields_with_derivatives(torch.ones(2, 5), 5), "seven columns scale, angle"),
        (lambda: gaussian_kernel(5, -torch.eye(2), 0, 0), "determinant of c must be positive|c must"),
        (lambda: gaussian_kernel(5, torch.tensor([[1.0, 2.0], [2.0, 1.0]]), 0, 0), "must be positive, got -3"),
        (
            lambda: gaussian_kernel(5, torch.eye(2), 0, 0, q=-1.0),
            "q must be at least .Cxy. and at most the smaller variance, got -1",
        ),
        (lambda: gaussian_kernel(5, torch.eye(2), 0, 0, q=1.5), "at most the smaller variance, got 1.5"),
        (lambda: gaussian_kernel(5, torch.eye(2), 0, 0, domain=-1), "domain must be positive"),
        (lambda: truncation_radius(-1.0), "scale must be positive"),
        (lambda: truncation_radius(1.0, 1.5), "epsilon must lie between 0 and 1"),
        (lambda: derivative_orders(-1), "whole number"),
        (lambda: spatial_parameters([1.0], [0.0], [1.0], [1, 2]), "derivatives must be"),
        (lambda: spatial_parameters([[1.0]], [0.0], [1.0], 1), "scales must be one row"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- spatial modules -----------------------------------------------------------------------------------------------

GENERATORS = ([1.0, 2.0], [0.2, 1.0], [0.8, 1.0], [(0, 0), (1, 0), (1, 1)])


def table() -> Tensor:
    return spatial_parameters(*GENERATORS, x=[0.0], y=[0.3])


def make(kind: str, *, channels: int = 2, size: int = 15, dtype: torch.dtype = torch.float32, **options):
    if kind == "table":
        return SpatialReceptiveField2d(channels, size, table().to(dtype), **options)
    cls = SampledSpatialReceptiveField2d if kind == "shared" else ParameterizedSpatialReceptiveField2d
    scales, angles, ratios = (torch.tensor(v, dtype=dtype) for v in GENERATORS[:3])
    return cls(channels, size, scales, angles, ratios, GENERATORS[3], y=torch.tensor([0.3], dtype=dtype), **options)


KINDS = ("table", "shared", "single")
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@pytest.mark.parametrize("aggregate", [True, False])
def test_forward_is_the_convolution_with_its_weights(kind, aggregate):
    module = make(kind, aggregate=aggregate, padding=3, stride=2)
    x = torch.randn(3, 2, 2, 12, 14)
    expected = torch.nn.functional.conv2d(
        x.flatten(0, 1), module.weights, padding=3, stride=2, groups=1 if aggregate else 2
    ).unflatten(0, (3, 2))
    close(module(x), expected, 1e-5)
    close(module(x[0, 0]), expected[0, 0], 1e-5)
    assert module(x).shape[2] == module.out_channels == (18 if aggregate else 36)
    assert module.weights.shape == ((18, 2, 15, 15) if aggregate else (36, 1, 15, 15))
    close(module.kernels(), spatial_receptive_fields_with_derivatives(module.rf_parameters, 15), 1e-7)
    close(module.rf_parameters, table(), 1e-6)


def test_ramp_response_and_flip():
    ramp = torch.arange(41, dtype=F64).expand(41, 41)[None]
    rows = torch.tensor([[2, p, 1.5, 0, 0, m, n] for p, m, n in ((0, 1, 0), (0.5, 1, 0), (0.5, 0, 1))], dtype=F64)
    for flip, sign in ((False, 1), (True, -1)):
        out = SpatialReceptiveField2d(1, 17, rows, flip=flip)(ramp)[:, 12, 12]
        close(out, [sign * v for v in (-2.121320, -1.861634, 0.452007)], 1e-6)


def learned(module: torch.nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


@every_kind
@pytest.mark.parametrize("kernel", ["discrete", "sampled"])
@pytest.mark.parametrize("dtype", [F64, torch.float32])
@pytest.mark.parametrize("aggregate", [True, False])
def test_gradients_of_all_parameters(kind, kernel, dtype, aggregate):
    module = make(kind, kernel=kernel, dtype=dtype, aggregate=aggregate, optimize_log=dtype == F64)
    out = module(torch.randn(2, 2, 15, 15, dtype=dtype))
    assert out.dtype == dtype
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("options", [{}, {"normalization": "l1"}, {"kernel": "sampled", "domain": 3}, NORSE], ids=str)
def test_builder_gradients(options):
    fields = torch.tensor(
        [[1.3, 0.4, 1.4, 0.2, -0.7], [2.0, 0.0, 1.0, 0.3, 0.1], [0.7, -1.0, 0.8, 1.2, 0.5]], dtype=F64
    )
    orders = torch.tensor([(0, 0), (1, 0), (1, 2), (0, 4), (3, 1), (2, 0)])
    rows = fields.repeat_interleave(len(orders), 0).requires_grad_()
    dx, dy = orders.repeat(len(fields), 1).unbind(1)
    assert torch.autograd.gradcheck(
        lambda rows: spatial_receptive_field(*rows.unbind(1), 7, dx, dy, **options), rows, fast_mode=True
    )


def test_gradients_at_the_round_field_on_the_grid():
    fields = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.3, 1.0, 1.0, -2.0]], dtype=F64)
    for order in derivative_orders(4):
        rows = fields.clone().requires_grad_()
        build = lambda rows, order=order: spatial_receptive_field(*rows.unbind(1), 7, *order)  # noqa: E731
        (slopes,) = torch.autograd.grad((build(rows) * torch.randn(7, 7, dtype=F64)).sum(), rows)
        assert slopes.isfinite().all()
        assert torch.autograd.gradcheck(build, rows)


def train(module: torch.nn.Module, validate: bool, optimizer) -> list[Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 15, 15)
    steps = optimizer(module.parameters())
    for _ in range(3):
        steps.zero_grad()
        module(x).square().sum().backward()
        steps.step()
        if validate:
            with torch.no_grad():
                module(x)
            with torch.inference_mode():
                module(x)
    return learned(module)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05, fused=True)


@every_kind
def test_validating_changes_nothing(kind):
    for plain, validated in zip(train(make(kind), False, adam), train(make(kind), True, adam), strict=True):
        assert torch.equal(plain, validated)


@every_kind
def test_no_grad_sees_every_edit(kind):
    module, x = make(kind), torch.randn(1, 2, 15, 15)
    optimizer = adam(module.parameters())

    def fresh() -> Tensor:
        return spatial_receptive_fields_with_derivatives(module.rf_parameters, 15).detach()

    with torch.no_grad():
        first = module.kernels()
        assert module.kernels() is first
    module(x).sum().backward()
    optimizer.step()  # fused: changes values without raising torch's version counter
    with torch.no_grad():
        second = module.kernels()
        close(second, fresh(), 1e-6)
        assert (second - first).abs().max() > 1e-4
        next(module.parameters()).data.add_(0.05)
        close(module.kernels(), fresh(), 1e-6)
        module.kernels().zero_()
        close(module.kernels(), fresh(), 1e-6)
        before = module.kernels()
        module.refresh()
        assert module.kernels() is not before
    average = torch.optim.swa_utils.AveragedModel(module, avg_fn=lambda old, new, n: 0.5 * old + 0.5 * new)
    with torch.no_grad():
        average(x)
        next(module.parameters()).add_(0.1)
        average.update_parameters(module)
        average.update_parameters(module)
        close(average(x), average.module.double()(x.double()).float(), 1e-4)


@every_kind
def test_several_forwards_one_backward(kind):
    module, x = make(kind), torch.randn(2, 2, 15, 15)
    (module(x) + module(2 * x) + module(3 * x)).square().sum().backward()
    many = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    module(6 * x).square().sum().backward()
    for a, b in zip(many, (p.grad for p in module.parameters()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-2)


@every_kind
def test_weight_decay_leaves_orders_and_channels_alone(kind):
    module = make(kind)
    before = module.derivatives.clone()
    train(module, False, lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.5))
    assert torch.equal(module.derivatives, before)
    assert module(torch.randn(1, 2, 15, 15)).shape[1] == module.out_channels == 18
    assert not torch.equal(module.ratios, make(kind).ratios)


@every_kind
def test_instances_share_nothing_and_callers_tensors_stay(kind):
    given = table() if kind == "table" else torch.tensor(GENERATORS[0])
    copy_of_given = given.clone()

    def one() -> torch.nn.Module:
        if kind == "table":
            return SpatialReceptiveField2d(1, 15, given, optimize_log=False)
        cls = SampledSpatialReceptiveField2d if kind == "shared" else ParameterizedSpatialReceptiveField2d
        return cls(1, 15, given, torch.zeros(1), torch.tensor([0.9]), 1, optimize_log=False)

    a, b = one(), one()
    expected = learned(b)
    with torch.no_grad():
        for parameter in a.parameters():
            parameter.add_(0.1)
    assert torch.equal(given, copy_of_given)
    for left, right in zip(learned(b), expected, strict=True):
        assert torch.equal(left, right)


@every_kind
@pytest.mark.parametrize("log", [True, False])
def test_copies_and_state_dicts(kind, log):
    module, x = make(kind, optimize_log=log, bias=torch.arange(18.0), padding=1), torch.randn(1, 2, 15, 15)
    with torch.no_grad():
        expected = module(x)
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), module.double().float()):
            close(twin(x), expected, 1e-6)
        buffer = io.BytesIO()
        torch.save(module.state_dict(), buffer)
        buffer.seek(0)
        for parameter in (other := make(kind, optimize_log=log, bias=torch.zeros(18), padding=1)).parameters():
            parameter.add_(0.3)
        assert (other(x) - expected).abs().max() > 1e-3
        other.load_state_dict(torch.load(buffer))
        close(other(x), expected, 1e-6)
        close(module.double()(x.double()).float(), expected, 1e-4)
        assert module.kernels().dtype == F64
    assert "kernels" not in " ".join(module.state_dict())


@every_kind
def test_inference_mode_then_training(kind):
    module, x = make(kind), torch.randn(1, 2, 15, 15)
    with torch.inference_mode():
        expected = module(x)
    module(x).sum().backward()
    close(module(x), expected, 1e-6)
    with torch.no_grad():
        close(module(x), expected, 1e-6)


@every_kind
@pytest.mark.parametrize("kernel", ["discrete", "sampled"])
def test_fake_tensors(kind, kernel):
    from torch._subclasses.fake_tensor import FakeTensorMode

    real = make(kind, kernel=kernel)
    module = copy.deepcopy(real)
    with FakeTensorMode() as mode:
        for holder in (module._parameters, module._buffers):
            for name, tensor in holder.items():
                holder[name] = None if tensor is None else mode.from_tensor(tensor)
        out = module(torch.empty(3, 1, 2, 20, 20))
        assert out.shape == (3, 1, 18, 6, 6)
        out.sum().backward()
        rows = torch.empty(4, 7)
        assert spatial_receptive_fields_with_derivatives(rows, 9, kernel=kernel).shape == (4, 9, 9)
        assert SpatialReceptiveField2d(1, 9, rows, kernel=kernel)(torch.empty(1, 9, 9)).shape == (4, 1, 1)
    with torch.no_grad():
        real(torch.randn(1, 2, 15, 15))


@every_kind
def test_compiled_whole_graph(kind):
    module, x = make(kind), torch.randn(2, 2, 15, 15)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    module(x).square().sum().backward()
    expected = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    out = compiled(x)
    close(out, module(x), 1e-5)
    out.square().sum().backward()
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        close(compiled(x), module(x), 1e-5)
        next(module.parameters()).add_(0.1)
        close(compiled(x), module(x), 1e-5)


def test_compiled_builder():
    rows = table()
    build = torch.compile(spatial_receptive_fields_with_derivatives, fullgraph=True, backend="aot_eager")
    close(build(rows, 9), spatial_receptive_fields_with_derivatives(rows, 9), 1e-6)


@every_kind
def test_functional_call_and_vmap(kind):
    module, x = make(kind), torch.randn(1, 2, 15, 15)
    with torch.no_grad():
        module(x)
        moved = {name: p + 0.1 for name, p in module.named_parameters()}
        expected = torch.func.functional_call(module, moved, x)
        stacked = {name: torch.stack([p.detach(), moved[name]]) for name, p in module.named_parameters()}
        both = torch.vmap(lambda p: torch.func.functional_call(module, p, x))(stacked)
        close(both, torch.stack([module(x), expected]), 1e-5)
        assert (both[0] - both[1]).abs().max() > 1e-3
        for parameter in module.parameters():
            parameter.add_(0.1)
        close(module(x), expected, 1e-6)


def test_generators_learn_for_whole_families():
    shared, single = make("shared"), make("single")
    assert [tuple(p.shape) for p in shared.parameters()] == [(2,), (2,), (2,), (1,), (1,)]
    assert [tuple(p.shape) for p in single.parameters()] == [(18,)] * 5
    with torch.no_grad():
        shared.log_ratios[1] = 0.2  # a round field stops being round: the rows stay
    assert shared.kernels().shape == (18, 15, 15)
    kept = make("shared", optimize_ratios=False, optimize_x=False)
    assert [name for name, _ in kept.named_parameters()] == ["log_scales", "angles", "y"]
    assert {"log_ratios", "x"} <= set(dict(kept.named_buffers()))
    close(kept.scales, [1.0, 2.0], 1e-6)
    plain = make("shared", optimize_log=False)
    assert "scales" in dict(plain.named_parameters())
    close(plain.scales, [1.0, 2.0], 0)


@every_kind
def test_small_windows_warn_with_the_size_that_would_do(kind):
    with pytest.warns(UserWarning, match=r"7 px misses .*size=(13|15) holds 99 %"):
        make(kind, size=7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 8}, "size must be odd"),
        ({"dx": 0.5}, "whole number"),
        ({"scale": -1.0}, "scale must be positive"),
        ({"ratio": 0.0}, "ratio must be positive"),
        ({"y": math.inf}, "y must be finite"),
        ({"channels": 0}, "in_channels must be a whole number"),
        ({"columns": 5}, "seven columns"),
        ({"bias": torch.zeros(3)}, r"bias must have shape \(1,\)"),
        ({"x": torch.zeros(1, 3, 9, 9)}, r"expected input \(\.\.\., 1, height, width\), got \(1, 3, 9, 9\)"),
    ],
    ids=str,
)
def test_modules_name_bad_input(change, words):
    row = [change.get(name, value) for name, value in (("scale", 1.0), ("angle", 0.0), ("ratio", 1.0))]
    rows = torch.tensor([[*row, 0.0, change.get("y", 0.0), change.get("dx", 0.0), 0.0]])[:, : change.get("columns", 7)]
    with pytest.raises(ValueError, match=words):
        SpatialReceptiveField2d(change.get("channels", 1), change.get("size", 9), rows, bias=change.get("bias"))(
            change.get("x", torch.zeros(1, 9, 9))
        )


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="groups"):
        make("table", groups=2)


# --- state dicts of norse ------------------------------------------------------------------------------------------


def norse_state(rows: Tensor, log: bool) -> dict[str, Tensor]:
    state = {"rf_parameters": rows, "rf_parameters_previous": rows.clone(), "weights": torch.zeros(18, 2, 15, 15)}
    if log:
        logs = rows.clone()
        logs[:, [0, 2]] = rows[:, [0, 2]].log()
        state["log_rf_parameters"] = logs
    return state


@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("ours", [True, False])
def test_norse_tables_load(theirs, ours):
    rows = table()
    rows[:, 0] *= 1.1
    module = make("table", optimize_log=ours)
    module.load_state_dict(norse_state(rows, theirs), strict=True)
    close(module.rf_parameters, rows, 1e-6)
    holder = torch.nn.Sequential(make("table", optimize_log=ours))
    holder.load_state_dict({f"0.{name}": value for name, value in norse_state(rows, theirs).items()}, strict=True)
    close(holder[0].rf_parameters, rows, 1e-6)


def test_norse_tables_with_other_orders_are_refused():
    rows = table()
    rows[3, 5] = 0.97
    with pytest.raises(ValueError, match="derivative orders"):
        make("table").load_state_dict(norse_state(rows, True))
    with pytest.raises(ValueError, match="mirrored at the diagonal"):
        make("table").load_state_dict({"rf_parameters": table()[:, :5]})


@pytest.mark.parametrize("kind", ["shared", "single"])
def test_norse_wrappers_load(kind):
    module, source = make(kind, optimize_x=False), make(kind)
    state = {name: p.detach() + 0.1 for name, p in source.named_parameters() if name != "x"}
    state |= {"submodule.rf_parameters": table(), "submodule.weights": torch.zeros(1), "initial_parameters": table()}
    module.load_state_dict(state, strict=True)
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, state[name])


# --- time ----------------------------------------------------------------------------------------------------------


def shape_of(kernel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sum, mean, variance, skewness of impulse responses (..., length)."""
    n = torch.arange(kernel.shape[-1], dtype=kernel.dtype)
    total = kernel.sum(-1)
    mean = (kernel * n).sum(-1) / total
    central = [(kernel * (n - mean[..., None]) ** k).sum(-1) / total for k in (2, 3)]
    return total, mean, central[0], central[1] / central[0] ** 1.5


def events(steps, length: int, sizes=None) -> Tensor:
    x = torch.zeros(length, 1, dtype=F64)
    x[list(steps), 0] = 1.0 if sizes is None else torch.tensor(sizes, dtype=F64)
    return x


def bank(mu, *, over_time: bool = True, **options) -> TemporalReceptiveField:
    """A field with the given time constants (standard deviations of levels, in a cascade), in steps."""
    return TemporalReceptiveField((1,), taus=torch.as_tensor(mu, dtype=F64), dt=1.0, over_time=over_time, **options)


def test_scale_distribution():
    close(temporal_scale_distribution(4), [1, 1.41421356, 2, 2.82842712], 1e-6)
    close(temporal_scale_distribution(4, 1, 100), [1, 2.154435, 4.641589, 10], 1e-5)
    close(temporal_scale_distribution(1, 4, 9), [2.0], 0)
    close(temporal_scale_distribution(3, 4, c=2), [2.0, 4.0, 8.0], 1e-6)


def test_parallel_poles():
    for update, poles in (("exp", (0.367879, 0.493069, 0.606531, 0.702189)), ("euler", (0, 0.292893, 0.5, 0.646447))):
        close(TemporalReceptiveField((1,), update=update).poles.flatten(), poles, 1e-6)


@pytest.mark.parametrize(("update", "mean", "variance"), [("exp", 9.508332, 99.916708), ("euler", 9, 90)])
def test_moments_of_one_filter(update, mean, variance):
    _, m, v, _ = shape_of(temporal_kernel(number(100), 3000, n_levels=1, update=update))
    close(m, mean, 1e-6)
    close(v, variance, 1e-6)


@pytest.mark.parametrize(
    ("c", "m", "mean", "skewness", "peak", "at"),
    [
        (
            math.sqrt(2),
            (3.070714214, 3.070714214, 4.524937811, 6.588723439),
            17.255089678,
            1.138654945,
            0.046503821,
            12,
        ),
        (2.0, (0.846291202, 1.722048604, 3.858898944, 8.174675786), 14.601914536, 1.489698944, 0.052473278, 8),
    ],
)
def test_cascade_of_matched_variance(c, m, mean, skewness, peak, at):
    kernel = temporal_kernel(number(100), 4000, c=c, n_levels=4)
    total, first, variance, third = shape_of(kernel)
    close(total, 1, 1e-12)
    close(first, mean, 1e-8)
    close(variance, 100, 1e-9)
    close(third, skewness, 1e-8)
    close(kernel.max(), peak, 1e-9)
    assert kernel.argmax() == at
    p = bank(10 * c ** torch.arange(-3.0, 1, dtype=F64), mode="cascade").poles.flatten()
    close(p / (1 - p), m, 1e-8)
    deep = shape_of(temporal_kernel(number(100), 4000, c=c, n_levels=12))
    close(deep[1], {2.0: 14.777523758}.get(c, 19.583433752), 1e-8)
    close(deep[3], {2.0: 1.488827}.get(c, 1.099640), 1e-6)


def test_impulse_response_of_a_cascade():
    start = [0.001439338, 0.004599999, 0.009194856, 0.014714178, 0.020618183, 0.026434030]
    close(temporal_kernel(number(100), 6, n_levels=4), start, 1e-9)
    uniform = temporal_kernel(torch.tensor([50.0, 100.0], dtype=F64), 3000, c=1.0, n_levels=4)
    close(shape_of(uniform)[2], [50.0, 100.0], 1e-9)


def test_exact_cascade():
    mu = 10 * 2 ** (torch.arange(-3.0, 1, dtype=F64) / 2)
    _, states = bank(mu, mode="cascade", signal="events")(events([0], 1))
    close(states.v.flatten(), [0.282842712, 0, 0, 0], 1e-9)
    field = bank(mu, mode="cascade", signal="events", over_time=False)
    seen, state = [], None
    for t in range(11):
        _, state = field(events([0], 11)[t], state)
        seen.append(state.v.flatten())
    close(seen[1], [0.213161106, 0.060291065, 0.006199102, 0.000300712], 1e-9)
    close(seen[10], [0.016717630, 0.047284597, 0.063564204, 0.040496182], 1e-9)
    finer = bank(mu / 0.25, mode="cascade", signal="events")
    y, _ = finer(events([0], 41))
    close(y[::4, :, 0] / finer.time_constants.square().cumsum(0).sqrt().flatten() / 0.25, torch.stack(seen), 1e-13)


def test_events_count_the_same_at_any_speed():
    """Events at S t through mu -> S mu: the same for "events"; for "levels" weaker by a known factor."""
    steps, mu = (2, 5, 6, 17), 8.0
    for stretch, factor in ((2, 0.515620), (3, 0.347315)):
        for signal, gain in (("events", 1.0), ("levels", factor)):
            slow = bank([stretch * mu], signal=signal)(events([stretch * t for t in steps], stretch * 30))[0]
            fast = bank([mu], signal=signal)(events(steps, 30))[0]
            close(slow[::stretch], gain * fast, 1e-12 if signal == "events" else 1e-6)


@pytest.mark.parametrize("stretch", [2, 3, 5])
def test_temporal_scaling_of_the_exact_cascade(stretch):
    mu = torch.tensor([1.5, 3.0, 3.5, 8.0], dtype=F64)
    steps = (2, 5, 6, 17)
    fast = bank(mu, mode="cascade", signal="events")(events(steps, 60))[0]
    slow = bank(stretch * mu, mode="cascade", signal="events")(events([stretch * t for t in steps], stretch * 60))[0]
    close(slow[::stretch], fast, 1e-12)


@pytest.mark.parametrize(
    ("c", "errors"), [(2.0, (0.100, 0.0235, 0.00581, 0.00146)), (math.sqrt(2), (0.41, 0.18, 0.087, 0.043))]
)
def test_temporal_scaling_within_one_bank(c, errors):
    """Level k on a stretched stream is level k - j on the original, the better the more levels there are."""
    steps, apart = (8, 20, 23, 60, 100), round(math.log(2) / math.log(c))
    for levels, error in zip((4, 6, 8, 10), errors, strict=True):
        field = bank(20 * c ** torch.arange(1.0 - levels, 1, dtype=F64), mode="cascade", signal="events")
        original = field(events(steps, 400))[0][:, -1 - apart]
        stretched = field(events([2 * t for t in steps], 800))[0][::2, -1]
        worst = (stretched - original).abs().max() / original.abs().max()
        close(worst / error, 1, 0.03)


@pytest.mark.parametrize(("tau", "error"), [(25.0, 2.5e-2), (100.0, 6e-3), (400.0, 1.5e-3)])
def test_temporal_scaling_of_matched_variance_needs_a_shift(tau, error):
    steps, n = (8, 20, 23, 60, 100), 1024
    sides = {}
    for stretch in (1, 2):
        levels = stretch * math.sqrt(tau) * 2 ** torch.arange(-7.0, 1, dtype=F64)
        field = bank(levels, mode="cascade", signal="events", update="variance")
        p = field.poles.flatten()
        sides[stretch] = field(events([stretch * t for t in steps], n))[0][:, -1, 0], (p / (1 - p)).sum()
    late = sides[2][1] - 2 * sides[1][1]
    waves = torch.exp(2j * math.pi * torch.fft.fftfreq(n, dtype=F64) * late)
    shifted = torch.fft.ifft(torch.fft.fft(sides[2][0]) * waves).real[:600:2]
    fast = sides[1][0][:300]
    assert (shifted - fast).abs().max() < error * fast.max()
    assert (sides[2][0][:600:2] - fast).abs().max() > 0.05 * fast.max()


@pytest.mark.parametrize("update", ["variance", "exact"])
def test_levels_are_cascades_themselves(update):
    mu = torch.tensor([2.0, 3.0, 5.0, 9.0], dtype=F64)
    x = torch.randn(30, 1, dtype=F64)
    whole = bank(mu, mode="cascade", update=update)(x)[0]
    for k in (1, 2, 3):
        close(bank(mu[:k], mode="cascade", update=update)(x)[0][:, -1], whole[:, k - 1], 1e-14)


@pytest.mark.parametrize("mode", ["parallel", "cascade"])
@pytest.mark.parametrize("update", ["variance", "exact", "exp", "euler"])
def test_gains(mode, update):
    if update not in {"parallel": ("exp", "variance", "euler"), "cascade": ("variance", "exact")}[mode]:
        with pytest.raises(ValueError, match="update of mode"):
            bank([2.0, 4.0], mode=mode, update=update)
        return
    constant = bank([2.0, 4.0], mode=mode, update=update)(torch.ones(200, 1, dtype=F64))[0]
    close(constant[-1].flatten(), [1.0, 1.0], 1e-12)
    impulse = bank([2.0, 4.0], mode=mode, update=update, signal="events")(events([0], 100))[0]
    if mode == "parallel":
        close(impulse[0].flatten(), [1.0, 1.0], 1e-12)


def test_temporal_derivatives():
    mu = torch.tensor([2.0, 3.0, 5.0], dtype=F64)
    x = torch.cat([torch.zeros(1, 1, dtype=F64), torch.randn(40, 1, dtype=F64)])
    for options in ({"mode": "cascade"}, {"mode": "parallel"}, {"mode": "parallel", "signal": "events"}):
        y, _ = bank(mu, derivatives=(0, 1), **options)(x)
        level, slope = y.unflatten(1, (3, 2)).unbind(2)
        close(slope[1:], level.diff(dim=0) * mu[:, None], 1e-12)
    third = bank(mu, mode="cascade", derivatives=(1, 2))(x)[0].unflatten(1, (3, 2))[:, 2] / 5.0
    close(third[1:, 1], third[:, 0].diff(dim=0) * 5, 1e-12)
    kernel = temporal_kernel(number(100), 60, order=1)
    close(kernel[1:], 10 * temporal_kernel(number(100), 60).diff(), 1e-12)


def test_exact_derivative_of_the_second_level():
    """Sampled on a grid of h, differences of the exact cascade tend to its derivative as h shrinks."""
    mu, h = torch.tensor([4.0, 9.0], dtype=F64), 1e-3
    y, _ = bank(mu / h, mode="cascade", signal="events", derivatives=(0, 1))(events([0], 4001))
    level, slope = y[:, 2, 0], y[:, 3, 0]
    close(slope[2000] / level.abs().max(), (level[2001] - level[1999]) / 2 / h * 9 / level.abs().max(), 1e-5)


def test_euler_levels_are_leaky_integrators():
    field = TemporalReceptiveField((3, 4), update="euler", over_time=True, min_scale=2)
    x = torch.randn(12, 2, 3, 4)
    cell, state = LIBoxCell(LIBoxParameters(tau_mem_inv=1000 / field.time_constants.float())), None
    y, last = field(x)
    for t in range(len(x)):
        out, state = cell(x[t].unsqueeze(-3).expand(2, 4, 3, 4), state)
        close(y[t], out, 1e-6)
    close(last.v, state.v, 1e-6)


def test_inverse_time_constants_and_seconds():
    rates = torch.tensor([500.0, 100.0])
    by_rate = TemporalReceptiveField((2, 1), time_constants=rates)
    close(by_rate.time_constants, torch.tensor([2.0, 10.0])[:, None, None].expand(2, 2, 1), 1e-5)
    close(TemporalReceptiveField((2, 1), taus=1 / rates).log_tau, by_rate.log_tau, 1e-6)
    loaded = TemporalReceptiveField((2, 1), n_scales=2)
    loaded.load_state_dict({"ps": rates[:, None, None].expand(2, 2, 1)}, strict=True)
    close(loaded.log_tau, by_rate.log_tau, 1e-6)
    cascade = TemporalReceptiveField((2, 1), time_constants=rates, mode="cascade")
    close(cascade.time_constants[:, 0, 0], [2.0, math.sqrt(96)], 1e-4)


@pytest.mark.parametrize("subtract", [False, True])
def test_spikes_keep_their_times_when_time_stretches(subtract):
    sizes, steps, mu = (0.6, 0.6, 0.3, 0.5, 0.5, 0.5, 0.9), (1, 3, 4, 9, 11, 12, 20), 8.0
    for stretch in (1, 3):
        loss = 1 - math.exp(-1 / (stretch * mu))
        p = LIFBoxParameters(tau_mem_inv=loss, reset_method=reset_subtract if subtract else reset_value)
        x = events([stretch * t for t in steps], 70, sizes) / loss
        spikes, _ = LIFBox(p, dt=1.0)(x)
        assert spikes.flatten().nonzero().flatten().tolist() == [stretch * t for t in (3, 11, 20)]


@pytest.mark.parametrize("activation", [LIFBoxCell, LIFBox])
def test_neurons_in_the_place_of_filters(activation):
    field = TemporalReceptiveField((2, 3), activation=activation, over_time=True, min_scale=2)
    x = 3 * torch.rand(15, 4, 2, 3)
    y, state = field(x)
    assert y.shape == (15, 4, 4, 2, 3)
    assert y.unique().tolist() == [0, 1]
    own = LIFBox(LIFBoxParameters(tau_mem_inv=1000 / field.time_constants.detach().float()))
    expected, last = own(x.unsqueeze(-3).expand_as(y))
    assert torch.equal(y, expected)
    close(state.v, last.v, 1e-6)
    y.sum().backward()
    assert field.log_tau.grad.abs().min() > 0
    reset = torch.zeros(15, 4, dtype=torch.bool)
    reset[7, 1] = True
    close(field(x, reset=reset)[0][7:, 1], field(x[7:, 1:2])[0][:, 0], 0)
    slower = TemporalReceptiveField(
        (2, 3), activation=activation, activation_state_map=lambda t: LIFBoxParameters(t, v_th=9.0), over_time=True
    )
    assert slower(x)[0].sum() == 0


TEMPORAL = [
    {},
    {"signal": "events", "update": "variance"},
    {"update": "euler"},
    {"mode": "cascade", "derivatives": (0, 1)},
    {"mode": "cascade", "signal": "events"},
    {"mode": "cascade", "update": "exact", "derivatives": (1,)},
]


def temporal(**options) -> TemporalReceptiveField:
    return TemporalReceptiveField((2, 3, 1), 3, min_scale=2, over_time=True, **options)


def rows() -> Tensor:
    return torch.tensor([[1.0, 0.3, 1.2, 0, 0, 0, 0], [1.0, 0.3, 1.2, 0, 0, 1, 0]])


def spatio_temporal(size: int = 11, **options) -> SpatioTemporalReceptiveField2d:
    return SpatioTemporalReceptiveField2d(2, size, rows(), [2.0, 4.0, 6.0], padding=size // 2, **options)


ROUTES = torch.tensor([[0.0, 0.0], [1000.0, -400.0], [350.0, 2000.0]])
STREAMING = [
    *[(lambda o=options: temporal(**o), (2, 2, 3, 1)) for options in TEMPORAL],
    *[(lambda o=options: spatio_temporal(**o), (2, 2, 7, 8)) for options in TEMPORAL],
    (lambda: spatio_temporal(velocities=ROUTES), (1, 2, 9, 9)),
    (lambda: spatio_temporal(velocities=ROUTES, mode="cascade", derivatives=(0, 1)), (1, 2, 9, 9)),
]


@pytest.mark.parametrize(("make_field", "shape"), STREAMING)
def test_streaming_causality_and_resets(make_field, shape):
    field, x = make_field(), torch.randn(9, *shape)
    with torch.no_grad():
        whole, last = field(x)
        state, chunks = None, []
        for piece in (x[:4], x[4:4], x[4:5], x[5:]):
            y, state = field(piece, state)
            chunks.append(y)
        assert torch.equal(torch.cat(chunks), whole)
        assert torch.equal(state.v, last.v)
        later = x.clone()
        later[6:] = torch.randn_like(later[6:])
        assert torch.equal(field(later)[0][:6], whole[:6])
        reset = torch.zeros(9, shape[0], dtype=torch.bool)
        reset[5, 0] = True
        parts = field(x, reset=reset)[0]
        assert torch.equal(parts[:5], whole[:5])
        assert torch.equal(parts[5:, 1:], whole[5:, 1:])
        if not hasattr(state, "step"):
            close(parts[5:, 0], field(x[5:, :1])[0][:, 0], 1e-6)


@pytest.mark.parametrize("options", TEMPORAL)
def test_one_step_at_a_time(options):
    field, x = temporal(**options), torch.randn(5, 4, 2, 3, 1)
    whole, _ = field(x)
    field.over_time = False
    state = None
    for t in range(len(x)):
        y, state = field(x[t], state)
        assert torch.equal(y, whole[t])
    assert y.shape == (4, 3 * len(field.derivatives), 2, 3, 1)
    assert state.v.shape == (4, 3, 2, 3, 1)


def test_space_and_time_commute():
    field = spatio_temporal(derivatives=(0, 1)).double()
    x = torch.randn(8, 1, 2, 9, 9, dtype=F64)
    together, _ = field(x)
    assert together.shape == (8, 1, 2 * 3 * 2, 9, 9)
    time = TemporalReceptiveField(
        (2, 9, 9), taus=torch.tensor([2.0, 4.0, 6.0]), dt=1.0, signal="events", derivatives=(0, 1), over_time=True
    ).double()
    first = time(x)[0]  # (T, B, K orders, C, H, W)
    close(together.unflatten(2, (2, 6)), field.spatial(first).transpose(2, 3), 1e-12)


def test_fields_move_along_with_a_pattern():
    """A pattern that moves by whole pixels, seen by the field that moves along: the response at rest, moved."""
    steps, h, w = 12, 40, 44
    pattern = torch.zeros(1, 2, h, w)
    pattern[0, :, 12:16, 10:15] = torch.rand(2, 4, 5)
    moving = torch.stack([pattern.roll((t, 2 * t), (-2, -1)) for t in range(steps)])
    still, _ = spatio_temporal()(pattern.expand(steps, *pattern.shape))
    along, state = spatio_temporal(velocities=[(2000.0, 1000.0), (0.0, 0.0)])(moving)
    along = along.unflatten(2, (6, 2))
    for t in range(steps):
        close(along[t, :, :, 0, 8:, 8:], still[t].roll((t, 2 * t), (-2, -1))[..., 8:, 8:], 1e-6)
    assert (along[-1, :, :, 1] - along[-1, :, :, 0]).abs().max() > 0.1
    assert state.step == steps


@pytest.mark.parametrize("speed", [370.0, 1430.0])
def test_fields_follow_fractional_velocities_to_half_a_pixel(speed):
    steps, field = 30, SpatioTemporalReceptiveField2d(1, 9, rows()[:1], [8.0], padding=4, velocities=[(speed, 0.0)])
    x = torch.zeros(steps, 1, 1, 9, 90)
    x[0, 0, 0, 4, 20] = 1
    y, _ = field(x)
    columns = torch.arange(90.0)
    for t in (7, 18, 29):
        row = y[t, 0, 0].sum(0)
        at = (row * columns).sum() / row.sum()
        assert abs(at - 20 - speed * t / 1000) <= 0.5 + 1e-3


def test_strides_slow_the_moving_state():
    field = SpatioTemporalReceptiveField2d(
        1, 9, rows()[:1], [8.0], padding=4, stride=(1, 2), velocities=[(1000.0, 1000.0)]
    )
    assert field.routes == [(0.5, 1.0)]


@pytest.mark.parametrize(("make_field", "shape"), STREAMING)
def test_temporal_modules_survive(make_field, shape):
    field, x = make_field(), torch.randn(4, *shape)
    y, _ = field(x)
    (y.square().sum() + field(x)[0].sum()).backward()
    assert field.log_tau.grad.abs().max() > 0
    assert field.log_tau.grad.isfinite().all()
    with torch.no_grad():
        expected = field(x)[0]
        for twin in (copy.deepcopy(field), pickle.loads(pickle.dumps(field))):
            assert torch.equal(twin(x)[0], expected)
        other = make_field()
        other.log_tau.add_(0.3)
        assert not torch.equal(other(x)[0], expected)
        other.load_state_dict(field.state_dict())
        assert torch.equal(other(x)[0], expected)
        close(copy.deepcopy(field).double()(x.double())[0].float(), expected, 1e-4)
        assert field(x.bfloat16())[0].dtype == torch.bfloat16
        assert field(x > 0)[0].dtype == torch.float32


@pytest.mark.parametrize(("make_field", "shape"), [STREAMING[k] for k in (0, 3, 5, 10)])
def test_temporal_modules_compile_whole(make_field, shape):
    field, x = make_field(), torch.randn(3, *shape)
    compiled = torch.compile(field, fullgraph=True, backend="aot_eager")
    y, state = compiled(x)
    close(y, field(x)[0], 1e-6)
    state = state.detach()
    close(compiled(x, state)[0], field(x, state)[0], 1e-6)
    y.square().sum().backward()
    assert field.log_tau.grad.isfinite().all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: temporal_scale_distribution(0), "n_scales must be a whole number"),
        (lambda: temporal_scale_distribution(3, -1), "min_scale must be positive"),
        (lambda: temporal_scale_distribution(3, 4, 2), "max_scale must be larger than min_scale 4"),
        (lambda: temporal_scale_distribution(3, c=1), "c, the ratio of neighbouring scales"),
        (lambda: temporal_kernel(-1.0, 5), "tau must be positive"),
        (lambda: temporal_kernel(1.0, -5), "length must be a whole number"),
        (lambda: temporal_kernel(1.0, 5, update="exp"), "give n_levels=1"),
        (lambda: temporal_kernel(1.0, 5, update="best"), "update must be one of"),
        (lambda: temporal_kernel(1.0, 5, signal="spikes"), "signal must be one of 'events', 'levels'"),
        (lambda: temporal(mode="both"), "mode must be one of"),
        (lambda: temporal(dt=0.0), "dt is the step in seconds"),
        (lambda: temporal(derivatives=(2,)), "at most 1 in parallel"),
        (lambda: temporal(derivatives=(1,), update="euler"), "0 with update 'euler'"),
        (lambda: temporal(derivatives=(-1,), mode="cascade"), "whole orders >= 0"),
        (lambda: temporal(taus=[1.0], time_constants=[1.0]), "not both"),
        (lambda: temporal(taus=[0.001, -0.002]), "time constants must be positive"),
        (lambda: temporal(taus=[0.002, 0.001], mode="cascade"), "scales ascending"),
        (lambda: temporal(activation=LIFBoxCell, mode="cascade"), "are those of the linear filters"),
        (lambda: temporal(activation=torch.nn.Identity), "say by activation_state_map"),
        (lambda: TemporalReceptiveField(()), "shape must hold"),
        (lambda: temporal()(torch.zeros(2, 3, 1)), "expected input"),
        (lambda: temporal()(torch.zeros(4, 5, 3, 1)), "expected input"),
        (lambda: temporal()(torch.zeros(4, 2, 3, 1), LIBoxState(torch.zeros(3, 2, 2, 1))), "the state's v must have"),
        (lambda: spatio_temporal(velocities=[1.0]), "velocities must be finite pairs"),
        (lambda: spatio_temporal()(torch.zeros(2, 5, 5)), "expected input"),
    ],
)
def test_bad_temporal_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_fields_of_neurons_survive():
    field = TemporalReceptiveField((2,), activation=LIFBoxCell, min_scale=2, over_time=True)
    x = 3 * torch.rand(6, 2)
    expected = field(x)[0]
    for twin in (copy.deepcopy(field), pickle.loads(pickle.dumps(field))):
        assert torch.equal(twin(x)[0], expected)


def test_a_covariance_beyond_the_condition_for_positivity_is_said():
    c = covariance_matrix(1.0, 0.3, 0.6)
    with pytest.warns(UserWarning, match=r"\|Cxy\| = 0.424 and variances down to 0.38"):
        kernel = gaussian_kernel(9, c, 0, 0)
    assert kernel.min() < 0
    assert kernel.sum().item() == pytest.approx(1, abs=1e-4)
    assert gaussian_kernel(9, covariance_matrix(2.4, 1.0, torch.pi / 8), 0, 0).min() >= 0


# --- on a GPU ------------------------------------------------------------------------------------------------------

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("kernel", ["discrete", "sampled"])
def test_banks_build_on_a_gpu_without_waiting(kernel):
    rows, x = table(), torch.randn(2, 3, 2, 15, 15)
    module = SpatialReceptiveField2d(2, 15, rows, kernel=kernel)
    expected = module.kernels()
    module, rows, x = module.cuda(), rows.cuda().requires_grad_(), x.cuda()
    domain = 8 if kernel == "sampled" else None
    for _ in range(2):  # warm up: constants are brought to the GPU once
        spatial_receptive_fields_with_derivatives(rows, 15, kernel=kernel, domain=domain).sum().backward()
        module(x).sum().backward()
        with torch.no_grad():
            module(x)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        built = spatial_receptive_fields_with_derivatives(rows, 15, kernel=kernel, domain=domain)
        built.sum().backward()
        module(x).sum().backward()
        with torch.no_grad():
            module(x)
            module(x)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    close(built.cpu(), expected, 1e-6)
    close(module.kernels().cpu(), expected, 1e-6)


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize(("make_field", "shape"), STREAMING)
def test_temporal_modules_on_a_gpu(make_field, shape):
    field, x = make_field(), torch.randn(9, *shape)
    y, _ = field(x)
    y.square().sum().backward()
    slope = field.log_tau.grad.clone()
    torch.backends.cudnn.allow_tf32, before = False, torch.backends.cudnn.allow_tf32
    try:
        moved = field.cuda()
        moved.zero_grad()
        there, state = moved(x.cuda())
        there.square().sum().backward()
        close(there.cpu(), y, 1e-4)
        torch.testing.assert_close(moved.log_tau.grad.cpu(), slope, rtol=1e-3, atol=1e-3)
        again = torch.cat([moved(x[:4].cuda())[0], moved(x[4:].cuda(), moved(x[:4].cuda())[1])[0]])
        close(again, there, 1e-5)
        assert state.v.is_cuda
    finally:
        torch.backends.cudnn.allow_tf32 = before
