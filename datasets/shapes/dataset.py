"""ShapesDataset: clips of moving shapes for training a network that tells where they are, made when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor
from torch.utils.data import Dataset

from eventsnn.camera.chance import mix

from .config import ShapesConfig
from .generate import generate

_SPLITS = ("train", "validation", "test")


class ShapesDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """``n`` clips as (warm-up frames, frames, targets); each is the same whenever, and by whichever worker, it is made.

    Frames are float32 ``[T, 2, H, W]``, T = ``warmup`` and T = ``steps``, channel = polarity. Targets are float32
    ``[steps, O, 2]``: where the centre (x, y) of each object is ``delay`` frames later, 2 c / side - 1, so that the
    image spans -1 to 1. Clips last as many frames as that takes, whatever the config says. The splits train,
    validation and test are drawn from seeds of their own, mixed from ``seed``.

    Raises ValueError for another split, and for numbers of clips or frames that cannot be.

    >>> shapes = ShapesDataset(ShapesConfig(width=32, height=24, size=8.0, margin=1), n=3, warmup=4, steps=6)
    >>> [tuple(part.shape) for part in shapes[1]]
    [(4, 2, 24, 32), (6, 2, 24, 32), (6, 3, 2)]
    """

    def __init__(
        self,
        config: ShapesConfig,
        n: int,
        seed: int = 0,
        split: str = "train",
        warmup: int = 40,
        steps: int = 40,
        delay: int = 1,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"there is no split {split!r}; there are {', '.join(_SPLITS)}")
        for name, value, least in (("n", n, 1), ("warmup", warmup, 0), ("steps", steps, 1), ("delay", delay, 0)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        self.config = replace(config, frames=warmup + steps + delay)
        self.seed = mix((mix(seed & 0xFFFFFFFF) + _SPLITS.index(split)) & 0xFFFFFFFF)
        self.split, self.warmup, self.steps, self.delay = split, warmup, steps, delay
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        batch = generate(self.config, seed=self.seed, first=range(self._n)[index], events=False)
        assert batch.frames is not None
        frames, centre = batch.frames[:, 0], batch.labels.centre[self.warmup + self.delay :, 0]
        end = self.warmup + self.steps
        sides = centre.new_tensor([self.config.width, self.config.height])
        return frames[: self.warmup], frames[self.warmup : end], (2 * centre / sides - 1).float()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return (self[k] for k in range(self._n))
