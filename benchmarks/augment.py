"""Augmentations of a batch of recordings of N-MNIST's size: GPU equal to CPU for the same draws, and the time of each.

python benchmarks/augment.py [--recordings 256]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from eventsnn import Events, augment
from eventsnn.frames.packed import Packed

SENSOR = (34, 34)


def recording(count: int, seed: int) -> Events:
    random = np.random.default_rng(seed)
    columns = (random.integers(0, high, count) for high in (*SENSOR, 2))
    return Events(np.sort(random.integers(0, 300_000, count)), *columns, sensor=SENSOR)


AUGMENTATIONS: dict[str, tuple[object, ...]] = {
    "RandomCrop": (None, (28, 28)),
    "RandomFlipLR": (),
    "RandomFlipPolarity": (),
    "RandomTimeReversal": (),
    "RandomAffine": (),
    "SpatialJitter": (),
    "TimeJitter": (100.0,),
    "TimeSkew": ((0.8, 1.2),),
    "DropEvent": (0.3,),
    "DropEventByTime": (),
    "DropEventByArea": (),
    "EventDrop": (),
    "DropPixel": ([(3, 4)], 60.0),
    "RandomDropPixel": (0.3,),
    "UniformNoise": (None, (100, 300)),
    "EventMix": ([recording(4_000, 999)],),
}


def milliseconds(run: Callable[[], object], repeats: int = 10) -> float:
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(taken)


def main(recordings: int) -> None:
    store = Packed.join([recording(3_500 + 37 * k % 1_500, k) for k in range(recordings)]).to("cpu")
    gpu = store.to("cuda") if torch.cuda.is_available() else None
    print(f"{recordings} recordings, {len(store.events):,} events, {torch.cuda.get_device_name() if gpu else 'no GPU'}")
    print("| augmentation | GPU = CPU | GPU ms | CPU ms |")
    print("|---|---|---|---|")
    for name, parameters in AUGMENTATIONS.items():
        make = getattr(augment, name)
        cpu_ms = milliseconds(lambda: make(*parameters)(store), 3)  # noqa: B023
        equal, gpu_ms = "", ""
        if gpu is not None:
            there, here = (make(*parameters, generator=torch.Generator().manual_seed(5))(on) for on in (gpu, store))
            equal = str(torch.equal(there.end.cpu(), here.end) and there.events == here.events)
            draw = make(*parameters, generator=torch.Generator("cuda"))
            milliseconds(lambda: draw(gpu), 3)  # noqa: B023
            gpu_ms = f"{milliseconds(lambda: draw(gpu)):.2f}"  # noqa: B023
        print(f"| {name} | {equal} | {gpu_ms} | {cpu_ms:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=256)
    main(parser.parse_args().recordings)
