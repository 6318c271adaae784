"""Data of a training: a packed split as batches of frames, and the part of it that is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from .. import augment
from .recipe import Recipe
from .words import parse, unknown


@dataclass(frozen=True, eq=False)
class Data:
    """The recordings of a packed split (``eventsnn.datasets.Packed``), made frames as the recipe says.

    ``indices`` are the samples it has. Raises ValueError for labels beyond the classes.
    """

    store: Any
    recipe: Recipe
    indices: Tensor
    dtype: torch.dtype = torch.float32

    @classmethod
    def of(cls, store: Any, recipe: Recipe, dtype: torch.dtype = torch.float32) -> Data:
        """All samples of a split."""
        labels, count = store.labels, len(store.classes)
        if not len(labels):
            raise ValueError(f"{store!r} has no samples")
        if int(labels.max()) >= count or int(labels.min()) < 0:
            raise ValueError(
                f"{store!r} has labels {int(labels.min())} to {int(labels.max())}, but {count} classes: "
                "the class count does not match; pack it again with the right classes"
            )
        return cls(store, recipe, torch.arange(len(labels)), dtype)

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
        parts = (Data(self.store, self.recipe, self.indices[mask], self.dtype) for mask in (~held, held))
        return next(parts), next(parts)

    def order(self, epoch: int, rank: int = 0, world: int = 1) -> list[int]:
        """The samples of an epoch, shuffled by seed and epoch; each process its own."""
        sampler: Any = DistributedSampler(self.indices, world, rank, seed=self.recipe.seed)  # type: ignore[arg-type]
        sampler.set_epoch(epoch)
        return self.indices[torch.tensor(list(sampler))].tolist()

    def batches(self, order: Sequence[int] | None = None, size: int = 256, *, augmented: bool = False) -> Any:
        """Batches ``(frames [T, B, ...], labels [B])`` of these samples (None: all), on the device of the split."""
        recipe, spikes = self.recipe, self.store.sensor[1] == 1
        options: dict[str, Any] = {"downsample": recipe.downsample, "binary": recipe.binary, "dtype": self.dtype}
        if self.store.labels.device.type != "cpu":
            options["check"] = False
        changes = augmentation(recipe.augment) if augmented and recipe.augment else None
        found = self.store.batches(
            size,
            recipe.n_bins,
            order=self.indices.tolist() if order is None else order,
            augment=changes,
            dt=recipe.dt,
            duration=recipe.duration,
            channels=1 if spikes else 2,
            **options,
        )
        return _Channels(found) if spikes else found

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one step of one sample."""
        return tuple(next(iter(self.batches(self.indices[:1].tolist())))[0].shape[2:])


class _Channels:
    """Batches of spikes, ``[T, B, channels]``."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((frames[:, :, 0, 0], labels) for frames, labels in self.batches)


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
