"""Data of a training: a packed split as batches of frames, and the part of it that is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from .. import augment
from ..frames import Packed, to_frames
from .recipe import Recipe
from .words import parse, unknown


@dataclass(frozen=True, eq=False)
class Data:
    """The recordings of a packed split (``eventsnn.datasets.Packed``), made frames on ``device`` as the recipe says.

    ``indices`` are the samples it has. A split on the CPU feeds a GPU batch by batch, while the GPU computes.
    """

    store: Any
    recipe: Recipe
    indices: Tensor
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, store: Any, recipe: Recipe, device: torch.device | str = "cpu") -> Data:
        """All samples of a split; with the recipe's ``amp``, frames on a GPU are bfloat16.

        Raises ValueError for a split without samples and for labels beyond its classes.
        """
        labels, count, place = store.labels, len(store.classes), torch.device(device)
        if not len(labels):
            raise ValueError(f"{store!r} has no samples")
        if int(labels.max()) >= count or int(labels.min()) < 0:
            raise ValueError(
                f"{store!r} has labels {int(labels.min())} to {int(labels.max())}, but {count} classes: "
                "the class count does not match; pack it again with the right classes"
            )
        dtype = torch.bfloat16 if recipe.amp and place.type == "cuda" else torch.float32
        return cls(store, recipe, torch.arange(len(labels)), place, dtype)

    def __len__(self) -> int:
        return len(self.indices)

    def parted(self, share: float) -> tuple[Data, Data]:
        """The training samples, and the share held out of each class; the same whatever the recipe's seed."""
        labels, draw = self.store.labels.cpu()[self.indices], torch.Generator().manual_seed(0)
        order = torch.randperm(len(labels), generator=draw)
        held = torch.zeros(len(labels), dtype=torch.bool)
        for label in labels.unique():
            members = order[labels[order] == label]
            held[members[: round(share * len(members))]] = True
        return replace(self, indices=self.indices[~held]), replace(self, indices=self.indices[held])

    def order(self, epoch: int, rank: int = 0, world: int = 1) -> list[int]:
        """The samples of an epoch, shuffled by seed and epoch; each process its own."""
        sampler: Any = DistributedSampler(self.indices, world, rank, seed=self.recipe.seed)  # type: ignore[arg-type]
        sampler.set_epoch(epoch)
        return self.indices[torch.tensor(list(sampler))].tolist()

    def batches(
        self, order: Sequence[int] | None = None, size: int | None = None, *, augmented: bool = False
    ) -> _Batches:
        """Batches ``(frames [T, B, ...], labels [B])`` of these samples; by default of all of them in order, of the
        size of training's, so that they fit where those do."""
        recipe, order = self.recipe, self.indices.tolist() if order is None else order
        changes = augmentation(recipe.augment) if augmented and recipe.augment else None
        size = size or recipe.batch_size
        return _Batches(self.store.batches(size, order=order, make=partial(self._frames, changes)), self.device)

    def _frames(self, changes: Any, recordings: Packed) -> Tensor:
        recipe, spikes = self.recipe, self.store.sensor[1] == 1
        if self.device.type != "cpu":
            on_host = not isinstance(recordings.begin, Tensor)
            recordings = (Packed.join(recordings) if on_host else recordings).to(self.device)
        frames = to_frames(
            recordings if changes is None else changes(recordings),
            recipe.dt,
            recipe.n_bins,
            duration=recipe.duration,
            channels=1 if spikes else 2,
            downsample=recipe.downsample,
            binary=recipe.binary,
            dtype=self.dtype,
            check=self.device.type == "cpu",
        )
        return frames[:, :, 0, 0] if spikes else frames

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one step of one sample."""
        return tuple(next(iter(self.batches(self.indices[:1].tolist())))[0].shape[2:])


class _Batches:
    """Batches with their labels on the device too."""

    def __init__(self, batches: Any, device: torch.device) -> None:
        self.batches, self.device = batches, device

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((frames, labels.to(self.device, non_blocking=True)) for frames, labels in self.batches)


def augmentation(words: Sequence[str]) -> augment.Compose:
    """The changes of these words, one after the other. Raises ValueError for those that do not exist or do not fit.

    >>> augmentation(["RandomAffine degrees=5", "DropEvent 0.1"]).transforms[1]
    DropEvent(p=0.1)
    """
    changes = []
    for text in words:
        word = parse(text)
        known = [name for name in augment.__all__ if isinstance(getattr(augment, name), type) and name != "Compose"]
        if word.name not in known:
            raise unknown("augmentation", word.name, known)
        try:
            changes.append(getattr(augment, word.name)(*word.values, **word.options))
        except TypeError as error:
            raise ValueError(f"augmentation {text!r}: {error}") from None
    return augment.Compose(changes)
