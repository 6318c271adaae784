"""
Track shapes, and show their trails
===================================

Three shapes cross, hide one another and go on; each keeps its number. Nothing is trained.
"""

import numpy as np
from matplotlib import pyplot

from eventsnn import draw
from eventsnn.datasets.shapes import Shape, record
from eventsnn.pipelines.track import track

# %%
# A synthetic event camera of 240 x 180 pixels sees three shapes for two seconds, and noise.
# ``truth`` has their centres ``[steps + 1, shapes, 2]`` each millisecond.

shapes = [
    Shape("circle", 34.0, (30.0, 60.0), (80.0, 12.0)),
    Shape("diamond", 40.0, (210.0, 66.0), (-80.0, 8.0), spin=0.6),
    Shape("hexagon", 38.0, (60.0, 150.0), (55.0, -48.0), spin=-0.5, brightness=0.05),
]
events, truth = record(shapes, (240, 180), "2s", hot_pixels=10)
tracks = track(events)
print(events)
print(tracks, "ids", tracks.ids)

# %%
# ``tracks`` has equal-length columns, a row for each object and window: number, time, centre
# and size of the box in pixels, velocity in pixels per second. ``tracks.to_csv`` and
# ``tracks.to_mot`` write them.

last = tracks[tracks.frame == tracks.frame.max()]
for k, number in enumerate(last.id):
    print(f"id {number}: centre ({last.x[k]:5.1f}, {last.y[k]:5.1f}) px,", end=" ")
    print(f"box {last.w[k]:.0f} x {last.h[k]:.0f} px,", end=" ")
    print(f"velocity ({last.vx[k]:4.0f}, {last.vy[k]:4.0f}) px/s")

# %%
# Boxes and trails
# ----------------
# ``Overlay`` draws them over pictures of the events, as in the video that ``eventsnn track``
# writes.

overlay, moments = draw.Overlay(zoom=3, trail=90), []
for frame in range(1, int(tracks.frame.max()) + 1):
    rows = tracks[tracks.frame == frame]
    overlay.follow(zip(rows.id, rows.x, rows.y, strict=True))
    if len(rows) and frame % 100 == 90:
        end = int(rows.t_us[0])
        picture = draw.picture(events.between(end - 15_000, end), zoom=3)
        boxes = zip(rows.id, rows.x, rows.y, rows.w, rows.h, rows.state == 0, strict=True)
        moments.append((end, overlay.draw(picture, boxes)))

figure, axes = pyplot.subplots(2, 2, figsize=(9, 7))
for axis, (end, picture) in zip(axes.flat, moments, strict=True):
    axis.imshow(picture)
    axis.set(title=f"{end / 1e3:.0f} ms", xticks=[], yticks=[])

# %%
# How far from the truth
# ----------------------
# Paths beside the true ones (dotted), and the distance of each centre over time. Errors rise
# where shapes overlap.

figure, (paths, errors) = pyplot.subplots(1, 2, figsize=(10, 3.7))
for number in tracks.ids:
    own = tracks[tracks.id == number]
    centres = truth[np.minimum(own.t_us // 1000, len(truth) - 1)]
    distance = np.hypot(own.x[:, None] - centres[..., 0], own.y[:, None] - centres[..., 1])
    shape = int(np.median(distance, 0).argmin())
    ink = np.array(draw.colour(number)) / 255
    paths.plot(own.x, own.y, color=ink, label=f"{number}, {shapes[shape].kind}")
    paths.plot(*truth[:, shape].T, ":", color="black", linewidth=0.8)
    errors.plot(own.t_us / 1e6, distance[:, shape], color=ink)
    error = np.median(distance[:, shape])
    print(f"id {number} is the {shapes[shape].kind}: median error {error:.2f} px")
paths.set(xlim=(0, 240), ylim=(180, 0), aspect="equal", xlabel="x [px]", ylabel="y [px]")
paths.legend(fontsize=8)
errors.set(xlabel="time [s]", ylabel="distance from the truth [px]", ylim=(0, None))
