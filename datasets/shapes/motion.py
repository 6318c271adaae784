"""Where each object of each clip is at each step: drawn, then moved by closed formulas without a loop."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from eventsnn.camera.chance import BROWNIAN, POSES, gaussian, uniform

from .config import Range, ShapesConfig, ends, options
from .geometry import Form, extent, form, inverse, matrix

_COUNT = 1023  # the object whose draws are those of the clip
_TEXTURE_PX = (4.0, 10.0)
_DRIFT = 0.1
_FIELDS: tuple[str, ...] = (
    "speed", "direction", "angle", "spin", "size", "aspect", "growth", "shear", "shear_rate", "contrast", "intensity",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """Poses at the steps 0..S of clips, S = (pre_roll + frames) substeps, and what the pixels see of the objects.

    ``matrix`` [n, S+1 or 1, O, 2, 2] and ``centre`` [n, S+1, O, 2] px; ``low``, ``high`` [n, S+1 or 1, O, 2] the box
    from the centre; ``value`` [n, O] the contrast or intensity; ``present`` [n, O]; ``forms`` O unit shapes;
    ``layers`` the objects of each scene of its own, from back to front; ``picks`` [n, O] by field: which of a list.
    The last objects may be texture; ``labelled`` is the number of those before them.
    """

    matrix: Tensor
    centre: Tensor
    low: Tensor
    high: Tensor
    value: Tensor
    present: Tensor
    forms: tuple[Form, ...]
    layers: tuple[tuple[int, ...], ...]
    picks: dict[str, Tensor]
    labelled: int

    def poses(self) -> Tensor:
        """The nine numbers of ``edges`` for each clip, step and object ``[n, S+1, O, 9]``; absent ones lie far away."""
        inverted, skin = inverse(self.matrix)
        half = torch.maximum(self.high, -self.low)
        away = torch.where(self.present, 0.0, 1e9)[:, None, :, None]
        parts = [inverted, self.centre + away, half, skin[..., None]]
        n, steps, objects, _ = self.centre.shape
        return torch.cat([part.expand(n, steps, objects, -1) for part in parts], -1).contiguous()


def pace(poses: Tensor) -> tuple[Tensor, Tensor]:
    """The most that F changes in a step at any pixel by an object, and the distance F from which on none is cut
    ``[n, O]``: between them they say for how many steps a pixel far from an edge need not be looked at."""
    turned = poses[:, 1:, :, :4] - poses[:, :-1, :, :4]
    moved = poses[:, 1:, :, 4:6] - poses[:, :-1, :, 4:6]
    reach = poses[..., 6:8].norm(dim=-1).amax(1, keepdim=True) + 8
    change = poses[:, 1:, :, :4].norm(dim=-1) * moved.norm(dim=-1) + turned.norm(dim=-1) * reach
    return change.amax(1), poses[..., 8].amax(1)


class _Draws:
    """The numbers drawn for each object of some clips."""

    def __init__(self, seed: int, clips: Tensor, objects: int) -> None:
        self.seed, self.clips = seed, clips[:, None]
        self.objects = torch.arange(objects, device=clips.device)

    def unit(self, number: int) -> Tensor:
        return uniform(self.seed, POSES, self.clips, 0, 64 * self.objects + number).double()  # type: ignore[no-any-return]

    def between(self, value: Range, number: int) -> tuple[Tensor, Tensor]:
        """A number of a range, and which of its options it is from."""
        pairs = torch.tensor(options(value), dtype=torch.float64, device=self.clips.device)
        pick = (self.unit(number) * len(pairs)).long()
        low, high = pairs[pick].unbind(-1)
        return low + (high - low) * self.unit(number + 1), pick


def fold(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """x reflected at both ends of an interval, as often as it takes; the middle where the interval is empty.

    >>> fold(torch.tensor([1.0, 5.5, 8.5]), 1.0, 4.0).tolist()
    [1.0, 2.5, 2.5]
    """
    span = torch.as_tensor(high - low, dtype=x.dtype, device=x.device)
    safe = span.clamp(min=1e-9)
    u = torch.remainder(x - low, 2 * safe)
    return torch.where(span > 0, low + torch.minimum(u, 2 * safe - u), (low + high) / 2)


def scene(config: ShapesConfig, clips: Tensor, seed: int) -> Scene:
    """The scene of the clips with these numbers ``[n]``; it lies on their device.

    Warns where an object does not fit into the room it is to bounce in: it then stands in the middle.
    """
    most, total = config.most, config.most + config.texture
    device = clips.device
    draws = _Draws(seed, clips, total)
    named = {name: "diagonal" for name in _FIELDS if getattr(config, name) == "diagonal"}
    ranges = {name: 0.0 if name in named else getattr(config, name) for name in _FIELDS}
    pairs = {name: draws.between(value, 2 + 2 * k) for k, (name, value) in enumerate(ranges.items())}
    drawn, picks = ({name: pair[k] for name, pair in pairs.items()} for k in (0, 1))
    if named:
        number = 2 + 2 * _FIELDS.index("direction")
        sign = torch.stack([torch.where(draws.unit(number + k) < 0.5, -1.0, 1.0) for k in (0, 1)], -1).double()
        velocity = sign * drawn["speed"][..., None]
    else:
        way = drawn["direction"]
        velocity = torch.stack([way.cos(), way.sin()], -1) * drawn["speed"][..., None]
    forms = [form(config.shapes[k % len(config.shapes)]) for k in range(most)]
    if config.texture:
        forms += [form(f"polygon({3 + k % 5})") for k in range(config.texture)]
        drawn["size"][:, most:] = draws.between(_TEXTURE_PX, 50)[0][:, most:]
        drawn["contrast"][:, most:] = draws.between((-0.8, 0.8), 52)[0][:, most:]
        drawn["intensity"][:, most:] = draws.between((0.5 * config.background, 2 * config.background), 52)[0][:, most:]
        drawn["angle"][:, most:] = draws.between((0.0, 2 * math.pi), 54)[0][:, most:]
        drift = 2 * math.pi * uniform(seed, POSES, clips, 0, 64 * _COUNT + 1).double()
        velocity[:, most:] = _DRIFT * torch.stack([drift.cos(), drift.sin()], -1)[:, None]

    steps = torch.arange((config.pre_roll + config.frames) * config.substeps + 1, device=device)
    time = steps.double() / config.substeps  # frames
    a = _matrices(config, drawn, time)
    low, high = a.new_zeros(*a.shape[:3], 2), a.new_zeros(*a.shape[:3], 2)
    for k, unit in enumerate(forms):
        low[:, :, k], high[:, :, k] = extent(a[:, :, k], unit)
    way = velocity[:, None] * config.per_frame * time[:, None, None]
    if config.brownian:
        way = way.expand(len(clips), len(time), total, 2).clone()
        way[:, :, :most] += _wandering(config, clips, seed, steps)
    centre = _places(config, draws, way, torch.maximum(high, -low).amax(1))

    count = torch.full((len(clips),), most, device=device)
    if config.least < most:
        share = uniform(seed, POSES, clips, 0, 64 * _COUNT)
        count = config.least + (share * (most - config.least + 1)).long()
    present = (draws.objects[None] < count[:, None]) | (draws.objects >= most)[None]
    behind = tuple(range(most, total))
    if config.composition == "occlude":
        layers: tuple[tuple[int, ...], ...] = ((*behind, *range(most)),)
    else:
        layers = tuple((k,) for k in range(most)) + ((behind,) if behind else ())
    value = drawn["contrast" if config.signal == "coverage" else "intensity"]
    return Scene(a, centre, low, high, value, present, tuple(forms), layers, picks, most)


def _matrices(config: ShapesConfig, drawn: dict[str, Tensor], time: Tensor) -> Tensor:
    """A ``[n, S+1 or 1, O, 2, 2]``: one for all steps where no object turns or changes."""
    rates = {"angle": "spin", "size": "growth", "shear": "shear_rate"}
    if all(ends(getattr(config, rate)) == (0, 0) for rate in rates.values()):
        time = time[:1]
    now = {
        name: drawn[name][:, None] + drawn[rate][:, None] * config.per_frame * time[:, None]
        for name, rate in rates.items()
    }
    if ends(config.growth) != (0, 0):
        low, high = (share * min(config.width, config.height) for share in config.size_limits)
        start = drawn["size"].clamp(low, high)[:, None]
        now["size"] = fold(now["size"] - drawn["size"][:, None] + start, low, high)
    if ends(config.shear_rate) != (0, 0):
        now["shear"] = fold(now["shear"], -config.shear_max, config.shear_max)
    return matrix(now["size"], drawn["aspect"][:, None], now["angle"], now["shear"])


def _wandering(config: ShapesConfig, clips: Tensor, seed: int, steps: Tensor) -> Tensor:
    """Way ``[n, S+1, O, 2]`` of a velocity that changes by a Gaussian number every frame."""
    frames = torch.arange(config.pre_roll + config.frames, device=clips.device)
    words = torch.arange(2 * config.most, device=clips.device)
    kicks = gaussian(seed, BROWNIAN, clips[:, None, None], frames[:, None], words)
    velocity = (config.brownian * config.per_frame * kicks).cumsum(1)
    before = torch.cat([torch.zeros_like(velocity[:, :1]), velocity.cumsum(1)], 1)
    frame = (steps // config.substeps).clamp(max=len(frames) - 1)
    share = (steps - frame * config.substeps).double() / config.substeps
    way = before[:, frame] + velocity[:, frame] * share[:, None]
    return way.reshape(len(clips), len(steps), config.most, 2)


def _places(config: ShapesConfig, draws: _Draws, way: Tensor, half: Tensor) -> Tensor:
    """Centres ``[n, S+1, O, 2]`` from the way since the start and the largest half extents ``[n, O, 2]``."""
    total = half.shape[1]
    first = torch.zeros(total, 2, dtype=torch.float64, device=half.device)
    last = first + torch.tensor([config.width, config.height], dtype=torch.float64, device=half.device)
    if config.lanes:
        strip = config.height / config.most
        first[: config.most, 1] = strip * draws.objects[: config.most]
        last[: config.most, 1] = first[: config.most, 1] + strip
    low, high = first + config.margin + half, last - config.margin - half
    low[:, config.most :], high[:, config.most :] = first[config.most :], last[config.most :]
    if config.border == "bounce" and bool((low > high).any()):
        warnings.warn("an object does not fit into the room it is to bounce in and stays in its middle", stacklevel=4)
    fits = torch.maximum(high, low)
    start = torch.stack([draws.unit(0), draws.unit(1)], -1) * (fits - low) + low
    start = torch.where(high >= low, start, (low + high) / 2)
    if config.position is not None:
        given = [draws.between(value, 40 + 2 * k)[0] for k, value in enumerate(config.position)]
        start[:, : config.most] = torch.stack(given, -1)[:, : config.most]
    place = start[:, None] + way
    if config.border == "bounce":
        place[:, :, : config.most] = fold(place, low[:, None], high[:, None])[:, :, : config.most]
    out_low, out_high = (first - half)[:, None], (last + half)[:, None]
    wraps = slice(0 if config.border == "wrap" else config.most, total)
    around = out_low + torch.remainder(place - out_low, out_high - out_low)
    place[:, :, wraps] = around[:, :, wraps]
    return place
