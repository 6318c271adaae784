"""The picture of the README: a moment of the demo before two shapes cross, beside the paths of all three."""

import os
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

from eventsnn import draw
from eventsnn.pipelines import demo

target = Path(__file__).with_name("demo.png")
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    demo.run(demo.Config())
    with av.open("demo/tracks.mp4") as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    paths = cv2.imread("demo/tracks.png")[..., ::-1]
    os.chdir(target.parent)
moment = frames[int(0.32 * len(frames))]
size = moment.shape[1], moment.shape[0]
gap = np.full((size[1], 12, 3), 255, np.uint8)
draw.save(target, np.hstack([moment, gap, cv2.resize(paths, size, interpolation=cv2.INTER_AREA)]))
