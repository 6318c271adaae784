"""Batches: passes over a packed split, in an order that seed, epoch, rank and world settle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import torch

from eventsnn import frames
from eventsnn.frames.words import Words

if TYPE_CHECKING:
    from .packed import Packed

Batch = tuple[frames.Packed, torch.Tensor]
Augment = Callable[[frames.Packed], frames.Packed]


def finish(
    bins: Callable[..., torch.Tensor], augment: Augment | None, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and labels of a batch of recordings."""
    recordings, labels = batch
    return bins(recordings if augment is None else augment(recordings)), labels


class Batches:
    """Each pass gives the batches of an epoch: ``(frames, labels)``. ``len(batches)`` is their number.

    ``epoch`` counts the passes begun; set it to go on with a training that was interrupted.
    """

    def __init__(
        self,
        packed: Packed,
        batch_size: int,
        bins: Callable[..., torch.Tensor],
        shuffle: bool,
        seed: int,
        order: Iterable[int] | None,
        rank: int,
        world: int,
        drop_last: bool,
        augment: Augment | None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"a batch holds at least one sample, got batch_size={batch_size}")
        if not 0 <= rank < world:
            raise ValueError(f"rank must lie in 0..world - 1, got rank {rank} of {world}")
        if order is not None and (shuffle or world > 1):
            raise ValueError("order settles which samples come when; leave shuffle, rank and world to it")
        self.epoch = 0
        self._packed, self._size, self._bins, self._augment = packed, batch_size, bins, augment
        self._shuffle, self._seed, self._order = shuffle, seed, order
        self._rank, self._world, self._drop_last = rank, world, drop_last

    def __len__(self) -> int:
        count = -(-len(self._packed) // self._world)
        if self._order is not None:
            count = len(self._order)  # type: ignore[arg-type]
        return count // self._size if self._drop_last else -(-count // self._size)

    def samples(self) -> torch.Tensor:
        """The numbers of the samples of the epoch to come, in order, on the CPU."""
        if self._order is not None:
            return torch.tensor(list(self._order))
        count = len(self._packed)
        order = torch.arange(count)
        if self._shuffle:
            draw = torch.Generator().manual_seed((self._seed * 1_000_003 + self.epoch) % 2**63)
            order = torch.randperm(count, generator=draw)
        padded = -(-count // self._world) * self._world
        return order.repeat(-(-padded // max(count, 1)))[:padded][self._rank :: self._world]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        labels, store = self._packed.labels, self._packed.store
        order = self.samples()
        there = order.to(labels.device)
        self.epoch += 1
        for start in range(0, len(order), self._size):
            now = slice(start, start + self._size)
            if self._drop_last and len(order[now]) < self._size:
                return
            recordings = store[(order if isinstance(store, Words) else there)[now]]
            yield finish(self._bins, self._augment, (recordings, labels[there[now]]))
