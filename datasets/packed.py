"""Packed: a packed split, mapped into memory or held on a device; samples of it, and batches of frames."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch.utils.data import DataLoader

from eventsnn import frames
from eventsnn.events import Events
from eventsnn.frames.words import Words

from .batches import Batch, Batches, finish
from .packfile import DTYPES, column, header_of
from .sample import Sample

__all__ = ["Packed"]


class Packed:
    """A packed split: ``len(packed)``, ``packed[i]``, ``packed.batches(256, n_bins=30)``.

    Attributes: ``store``, the recordings as ``eventsnn.frames.Packed``; ``labels``, int64 ``[n]``; ``ids``;
    ``classes``; ``sensor``; ``name``, ``split`` and ``split_hash`` of the dataset. Made by ``Packed.open`` from what
    ``pack`` wrote.
    """

    def __init__(
        self, path: Path, device: torch.device, header: dict[str, Any], columns: dict[str, Any], words: bool
    ) -> None:
        self._path, self._device, self._words = path, device, words
        self.name, self.split, self.split_hash = (header[key] for key in ("name", "split", "split_hash"))
        self.classes, self.sensor = tuple(header["classes"]), (header["sensor"][0], header["sensor"][1])
        self.ids = tuple(columns["ids"].tobytes().decode().split("\n"))
        self.labels = torch.from_numpy(columns["labels"]).to(device)
        events = Events(*(columns[name] for name in "txyp"), sensor=self.sensor)
        self._events = len(events)
        events = events if words or device.type == "cpu" else events.to(device)
        # pack puts them in order; to look at them all would read the whole file
        store = frames.Packed.from_offsets(events, columns["offsets"], is_sorted=True)
        self.store: Any = Words.of(store, device) if words else store

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        device: torch.device | str = "cpu",
        *,
        verify: bool | None = None,
        words: bool = False,
    ) -> Self:
        """Open a packed split: on the CPU mapped into memory, so that only what is used is read; else held on a device.

        With ``words`` an event takes 4 bytes there (8 where recordings are long or sensors large) instead of 13, and a
        batch's are taken apart when it is made: ``store`` is ``eventsnn.frames.words.Words``.

        ``verify`` compares the checksums of all columns; by default where all is read anyway, on a device. Raises
        ValueError for a file that is none, that is cut short, or whose checksum is wrong, and FileNotFoundError.
        """
        place, where = Path(path), torch.device(device)
        header = header_of(place)
        columns = {}
        for name, dtype in DTYPES.items():
            known = header["columns"][name]
            columns[name] = column(place, dtype, known["at"], known["bytes"])
            checked = where.type != "cpu" if verify is None else verify
            if checked and hashlib.sha256(columns[name].data).hexdigest() != known["sha256"]:
                raise ValueError(f"{place}: column {name} is damaged (its checksum is wrong); pack the split again")
        return cls(place, where, header, columns, words)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """A sample, its events a view of the columns."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index = index % len(self)
        return Sample(self.store[index], int(self.labels[index]), {"id": self.ids[index], "split": self.split})

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The recordings of a batch and their labels, as a DataLoader's worker fetches them; no event is copied."""
        index = torch.as_tensor(indices, device=self.labels.device)
        return self.store[index], self.labels[index]

    def batches(
        self,
        batch_size: int,
        n_bins: int | None = None,
        *,
        shuffle: bool = False,
        seed: int = 0,
        order: Iterable[int] | None = None,
        rank: int = 0,
        world: int = 1,
        drop_last: bool = False,
        augment: Callable[[frames.Packed], frames.Packed] | None = None,
        make: Callable[..., torch.Tensor] = frames.to_frames,
        **options: Any,
    ) -> Batches:
        """Batches of frames and labels, ``([T, B, C, H, W], [B])``, made on the device the split is held on.

        ``n_bins`` and the options are those of ``make``, which is ``eventsnn.to_frames`` (with ``trains`` spikes become
        ``[T, B, C]``). Each pass over the result is an epoch; with ``shuffle`` each has an order of its own, given by
        ``seed`` and the number of the epoch. ``order`` gives the samples instead: a DistributedSampler, or any sampler.
        ``rank`` and ``world`` share an epoch among processes: each gets every world-th sample, the first ones again at
        the end until all have the same number. ``augment`` is applied to the recordings of each batch before binning.

        Raises ValueError for a batch size, rank or world that cannot be.

        >>> import tempfile
        >>> from eventsnn.datasets import card_of, pack
        >>> from eventsnn.datasets.standin import StandIn
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     packed = Packed.open(pack(StandIn(card_of("pokerdvs")), f"{folder}/train.packed"))
        ...     batches = packed.batches(5, n_bins=4, shuffle=True)
        ...     print(len(batches), [(tuple(counts.shape), len(labels)) for counts, labels in batches])
        2 [((4, 5, 2, 35, 35), 5), ((4, 3, 2, 35, 35), 3)]
        """
        bins = partial(make, **options) if n_bins is None else partial(make, n_bins=n_bins, **options)
        return Batches(self, batch_size, bins, shuffle, seed, order, rank, world, drop_last, augment)

    def loader(
        self,
        batch_size: int,
        n_bins: int | None = None,
        *,
        augment: Callable[[frames.Packed], frames.Packed] | None = None,
        make: Callable[..., torch.Tensor] = frames.to_frames,
        workers: int = 0,
        sampler: Iterable[int] | None = None,
        shuffle: bool = False,
        **options: Any,
    ) -> DataLoader[Any]:
        """A torch DataLoader whose workers make whole batches as ``batches`` does; for a split mapped into memory.

        Raises ValueError for workers with a split held on a device, which they cannot share.
        """
        if workers and self._device.type != "cpu":
            raise ValueError(f"workers share a split mapped into memory, not one on {self._device}; open it on the CPU")
        bins = partial(make, **options) if n_bins is None else partial(make, n_bins=n_bins, **options)
        return DataLoader(
            self,  # type: ignore[arg-type]
            batch_size,
            shuffle=shuffle,
            sampler=sampler,
            num_workers=workers,
            collate_fn=partial(finish, bins, augment),
            persistent_workers=workers > 0,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self).open, verify=False, words=self._words), (self._path, self._device)

    def __repr__(self) -> str:
        where = "mapped" if self._device.type == "cpu" else f"on {self._device}"
        size = f"{self.sensor[0]}x{self.sensor[1]}"
        count = f"{len(self):,} samples, {self._events:,} events"
        return f"Packed({self.name} {self.split}: {count}, {size}, {where})"
