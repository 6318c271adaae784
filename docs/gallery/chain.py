"""
A chain of stages
=================

Open, remove hot pixels, denoise, bin, write: the steps of a job as one object. It runs on one
recording, on a folder of them, and in a training loop.
"""

import csv
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import h5py
from matplotlib import pyplot

import eventsnn
from eventsnn import draw
from eventsnn.datasets.shapes import Shape, record
from eventsnn.pipelines.chain import STAGES, Pipeline

# %%
# Three recordings in a folder, and a broken file, as there always is.

folder = Path(tempfile.mkdtemp())
(folder / "recordings").mkdir()
for k, kind in enumerate(("circle", "triangle", "star")):
    shape = Shape(kind, 36.0, (40.0, 40.0), (160.0, 20.0 * k), spin=2.0)
    events, _ = record([shape], (120, 80), "300ms", noise_rate=4.0, hot_pixels=12, seed=k)
    eventsnn.write(folder / "recordings" / f"{kind}.raw", events)
(folder / "recordings" / "broken.raw").write_bytes(b"not a recording")

# %%
# The chain. ``explain`` says what each stage gives, in which units, and what memory it takes.

chain = (
    Pipeline()
    .open()
    .hot_pixels(window="50ms")
    .denoise(tau="5ms")
    .frames(dt="10ms")
    .to_hdf5(dtype="uint16")
)
chain.explain((120, 80))

# %%
# A stage that does not fit is refused while the chain is written.

try:
    Pipeline().frames(dt="10ms").track()
except ValueError as error:
    print(error)

# %%
# On all recordings
# -----------------
# The same chain as a file, for the command ``eventsnn batch``: processes, restartable, with a
# summary and a report in HTML. The broken file is reported, the others are done. (In a
# script, ``chain.batch(...)`` does the same.)

(folder / "frames.toml").write_text("""
chain = ["open", {hot_pixels = {window = "50ms"}}, {denoise = {tau = "5ms"}},
         {frames = {dt = "10ms"}}, {to_hdf5 = {dtype = "uint16"}}]
""")
command = ["batch", "frames.toml", "recordings", "-o", "tensors", "--workers", "1"]
done = subprocess.run(
    [sys.executable, "-m", "eventsnn.cli", *command], cwd=folder, capture_output=True, text=True
)
print(done.stdout)

with (folder / "tensors" / "summary.csv").open() as file:
    for line in csv.DictReader(file):
        print(
            line["recording"],
            line["status"],
            line["sensor"],
            line["events"],
            "events",
            line["reason"][:60],
        )
for path in sorted((folder / "tensors").glob("*.h5")):
    with h5py.File(path) as file:
        print(path.name, file["frames"].shape, file["frames"].dtype)

# %%
# On one, stage by stage
# ----------------------
# Without a file at its end a chain gives what comes out: Events, or one tensor of all frames.

recorded = eventsnn.read(folder / "recordings" / "star.raw")
cooler = Pipeline().hot_pixels(window="50ms")(recorded)
denoised = Pipeline().hot_pixels(window="50ms").denoise(tau="5ms")(recorded)
frames = chain(recorded)
print(tuple(frames.shape))

figure, axes = pyplot.subplots(2, 2, figsize=(8, 5.6))
stages = {"open": recorded, "hot_pixels": cooler, "denoise": denoised}
for axis, (title, events) in zip(axes.flat, stages.items(), strict=False):
    axis.imshow(draw.picture(events.between(180_000, 200_000), zoom=3))
    axis.set_title(f"{title}: {len(events):,} events")
axes[1, 1].imshow(frames[19, 1] - frames[19, 0], cmap="RdBu", vmin=-2, vmax=2)
axes[1, 1].set_title("frames: number 19")
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])

# %%
# All stages there are:

print(textwrap.fill(", ".join(sorted(STAGES)), 90))
