"""Clips rendered pixel by pixel, only where objects are. Compiled by numba, together with the equations it calls."""

# mypy: ignore-errors

import numpy as np

from eventsnn.camera.equations import crossings, moment, stir
from eventsnn.camera.numbers import equation, maximum, minimum, word

from .edges import covered
from .light import gain, stamp


@equation
def intensity(x, y, step, poses, kinds, first, corners, edges, value, members, background, exact):
    """Intensity of a pixel: the objects of a layer laid over the background, from back to front."""
    level = background
    for o in members:
        dx = x + 0.5 - poses[step, o, 4]
        dy = y + 0.5 - poses[step, o, 5]
        if abs(dx) < poses[step, o, 6] + 2.0 and abs(dy) < poses[step, o, 7] + 2.0:
            a = poses[step, o, 0]
            b = poses[step, o, 1]
            c = poses[step, o, 2]
            d = poses[step, o, 3]
            shape = kinds[o], first[o], corners[o]
            share, _ = covered(dx, dy, a, b, c, d, poses[step, o, 8], *shape, edges, exact)
            level = level * (1.0 - share) + value[o] * share
    return level


@equation
def put(frame, p, pixel, key, cap, frames, keys, n):
    """Count an event and note its key, where either is wanted; returns the number of events."""
    if len(frames):
        frames[frame, p, pixel] = minimum(frames[frame, p, pixel] + np.float32(1), cap)
    if n < len(keys):
        keys[n] = key
    return n + 1


@equation
def layer(
    poses,
    kinds,
    first,
    corners,
    edges,
    value,
    members,
    change,
    skin,
    light,
    state,
    asleep,
    before,
    on,
    off,
    times,
    size,
    cap,
    frames,
    keys,
    n,
):
    """Events of one scene of a clip; returns the number of events, of which there were ``n`` before.

    A pixel is not looked at for an object while it is ``asleep``: up to the step before which no edge of the object,
    whose F changes by ``change`` a step at most, can reach it.
    """
    background, sign, logarithm, exact = light
    substeps, pre, total, step_us, dt_us, base = times
    height, width = size
    for step in range(total * substeps + 1):
        frame = maximum(step - 1, 0) // substeps - pre
        for o in members:
            last = maximum(step - 1, 0)
            a, b, c, d = poses[step, o, 0], poses[step, o, 1], poses[step, o, 2], poses[step, o, 3]
            cx, cy = poses[step, o, 4], poses[step, o, 5]
            x0 = int(minimum(poses[step, o, 4] - poses[step, o, 6], poses[last, o, 4] - poses[last, o, 6]) - 3.0)
            x1 = int(maximum(poses[step, o, 4] + poses[step, o, 6], poses[last, o, 4] + poses[last, o, 6]) + 3.0)
            y0 = int(minimum(poses[step, o, 5] - poses[step, o, 7], poses[last, o, 5] - poses[last, o, 7]) - 3.0)
            y1 = int(maximum(poses[step, o, 5] + poses[step, o, 7], poses[last, o, 5] + poses[last, o, 7]) + 3.0)
            for y in range(maximum(y0, 0), minimum(y1, height)):
                for x in range(maximum(x0, 0), minimum(x1, width)):
                    pixel = y * width + x
                    if asleep[o, pixel] > step:
                        continue
                    dx = x + 0.5 - cx
                    dy = y + 0.5 - cy
                    shape = kinds[o], first[o], corners[o]
                    now, f = covered(dx, dy, a, b, c, d, poses[step, o, 8], *shape, edges, exact)
                    asleep[o, pixel] = step + int(minimum(maximum((abs(f) - skin[o]) / change[o], 0.0), 1e6))
                    if len(members) == 1:
                        now = background * (1.0 - now) + value[o] * now
                    else:
                        now = intensity(
                            x, y, step, poses, kinds, first, corners, edges, value, members, background, exact
                        )
                    was = before[pixel]
                    if now == was:
                        continue
                    before[pixel] = now
                    if step == 0:
                        continue
                    rise = gain(was, now, sign, logarithm)
                    v = state[pixel]
                    count, left = crossings(v, rise, on[pixel], off[pixel])
                    state[pixel] = left
                    if count == 0 or frame < 0:
                        continue
                    p = 1 if count > 0 else 0
                    for j in range(1, int(abs(count)) + 1):
                        share = moment(v, rise, float(j), on[pixel], off[pixel])
                        t = stamp(float(step - 1), share, step_us, float(pre * dt_us), float((frame + 1) * dt_us))
                        key = base + (int(t) * height * width + pixel) * 2 + p
                        n = put(frame, p, pixel, key, cap, frames, keys, n)
    return n


@equation
def noise(h_on, h_off, h_time, h_hot, limits, hot, total, pixels, dt_us, base, cap, frames, keys, n):
    """Noise events of a clip; the hashes are led on by frame and pixel."""
    for frame in range(total):
        stream = stir(word(h_time), word(frame))
        for p in range(2):
            start = stir(word(h_on if p else h_off), word(frame))
            limit = np.uint32(limits[p])
            for block in range(0, pixels, 64):  # few blocks have an event; whether one has is found many pixels at once
                end = minimum(block + 64, pixels)
                hits = 0
                for pixel in range(block, end):
                    hits += stir(start, word(pixel)) >> 8 < limit
                if hits == 0:
                    continue
                for pixel in range(block, end):
                    if stir(start, word(pixel)) >> 8 < limit:
                        u = np.int64(stir(stream, word(pixel + p * pixels)) >> 8)
                        key = base + ((frame * dt_us + (u * dt_us >> 24)) * pixels + pixel) * 2 + p
                        n = put(frame, p, pixel, key, cap, frames, keys, n)
            start = stir(word(h_hot), word(frame))
            for pixel in hot:
                if stir(start, word(pixel + p * pixels)) >> 8 < np.uint32(limits[2]):
                    u = np.int64(stir(stream, word(pixel + (2 + p) * pixels)) >> 8)
                    key = base + ((frame * dt_us + (u * dt_us >> 24)) * pixels + pixel) * 2 + p
                    n = put(frame, p, pixel, key, cap, frames, keys, n)
    return n
