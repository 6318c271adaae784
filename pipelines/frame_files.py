"""Frames into files, one after the other: HDF5 and .npy grow on the disk; .npz and .pt are written at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from eventsnn.frames.cells import fits
from eventsnn.io.enduring import Enduring

Write = Callable[[int, torch.Tensor], None]


@contextmanager
def writer(path: Path, dtype: torch.dtype, told: dict[str, Any], shape: tuple[int, ...] = ()) -> Iterator[Write]:
    """A function that writes one more frame and its time [us]; the name's ending tells the format, HDF5 without one.

    ``told`` is kept beside the frames, but for .npy, which holds them alone; ``shape`` is that of a frame where there
    are none. Raises ValueError for an ending that tells
    another format, and for bfloat16, which only .pt files hold.
    """
    ways = {"": _hdf5, ".h5": _hdf5, ".hdf5": _hdf5, ".npy": _npy, ".npz": _together, ".pt": _together}
    if path.suffix not in ways:
        raise ValueError(f"{path.name}: frames are written to files that end in {', '.join(filter(None, ways))}")
    if dtype is torch.bfloat16 and path.suffix != ".pt":
        raise ValueError("bfloat16 can be written to .pt files only")
    with ways[path.suffix](path, dtype, told, shape) as write:
        yield write


@contextmanager
def _together(path: Path, dtype: torch.dtype, told: dict[str, Any], shape: tuple[int, ...]) -> Iterator[Write]:
    frames: list[torch.Tensor] = []
    times: list[int] = []

    def keep(begin: int, frame: torch.Tensor) -> None:
        if frames and len(frames) % 64 == 0:  # they are stacked in the end
            try:
                fits((2 * len(frames), *frame.shape), dtype, frame.device)
            except MemoryError:
                size = frames[0].nbytes * len(frames) / 2**30
                raise MemoryError(
                    f"{len(frames):,} frames of {size:,.1f} GiB, and more to come, do not fit memory; write "
                    "HDF5 or .npy, which grow on the disk"
                ) from None
        frames.append(frame)
        times.append(begin)

    yield keep
    stacked, begins = torch.stack(frames) if frames else torch.empty(0, *shape, dtype=dtype), np.array(times, np.int64)
    if path.suffix == ".pt":
        with path.open("wb") as raw:
            disk: Any = Enduring(raw)  # torch would cover a full disk with an error of its own
            torch.save({"frames": stacked, "t_us": torch.from_numpy(begins), **told}, disk)
            disk.check()
    else:
        np.savez_compressed(path, frames=stacked.numpy(), t_us=begins, **told)


@contextmanager
def _npy(path: Path, dtype: torch.dtype, told: dict[str, Any], frame_shape: tuple[int, ...]) -> Iterator[Write]:
    shape = [0, *frame_shape]
    about = {"fortran_order": False, "descr": np.lib.format.dtype_to_descr(torch.empty(0, dtype=dtype).numpy().dtype)}
    with path.open("wb") as file:

        def header() -> None:  # room is kept for any number of frames, so its length does not change
            file.seek(0)
            np.lib.format.write_array_header_1_0(file, {"shape": tuple(shape), **about})

        def append(begin: int, frame: torch.Tensor) -> None:
            if not shape[0]:
                shape[1:] = frame.shape
                header()
            shape[0] += 1
            if frame.any():
                file.write(frame.numpy().tobytes())
            else:  # a hole reads as zeros and takes no room
                file.seek(frame.nbytes, os.SEEK_CUR)

        yield append
        file.truncate()
        header()


@contextmanager
def _hdf5(path: Path, dtype: torch.dtype, told: dict[str, Any], shape: tuple[int, ...]) -> Iterator[Write]:
    with path.open("w+b") as raw, h5py.File(disk := Enduring(raw), "w") as file:
        times = file.create_dataset("t_us", (0,), "i8", maxshape=(None,), chunks=(1024,))

        def made(one: torch.Tensor) -> None:
            size = tuple(one.shape)
            frames = file.create_dataset(
                "frames", (0, *size), one.numpy().dtype, maxshape=(None, *size), chunks=(1, *size), compression="lzf"
            )
            frames.attrs.update(told)

        def append(begin: int, frame: torch.Tensor) -> None:
            if "frames" not in file:
                made(frame)
            frames = file["frames"]
            number = len(frames)
            frames.resize(number + 1, 0)
            times.resize(number + 1, 0)
            times[number] = begin
            if frame.any():  # a chunk never written reads as zeros and takes no room
                frames[number] = frame.numpy()
            disk.check()

        yield append
        if "frames" not in file:
            made(torch.empty(shape, dtype=dtype))
        file.flush()
        disk.check()
