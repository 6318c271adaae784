"""Clips rendered by a GPU: a program for a clip and a tile of pixels, whose states stay in registers over all steps.

Compiled by Triton, together with the equations it calls.
"""

# mypy: ignore-errors

from eventsnn.camera.blocks import absolute, any_of, equation, maximum, minimum, tl, word
from eventsnn.camera.equations import crossings, moment, stir

from .edges import covered
from .light import gain, stamp


@equation
def near(pose, x0, x1, y0, y1):
    """Whether the box of an object, and 2 px around it, meets a tile."""
    cx = tl.load(pose + 4)
    cy = tl.load(pose + 5)
    hx = tl.load(pose + 6) + 2.0
    hy = tl.load(pose + 7) + 2.0
    return (cx - hx < x1) & (cx + hx > x0) & (cy - hy < y1) & (cy + hy > y0)


@equation
def intensity(x, y, x0, x1, y0, y1, poses, shape, edges, value, members, begin, end, background, exact):
    """Intensity of the pixels: the objects of a layer laid over the background, from back to front."""
    level = x * 0.0 + background
    for m in range(begin, end):
        o = tl.load(members + m)
        pose = poses + o * 9
        if near(pose, x0, x1, y0, y1):
            dx = x - tl.load(pose + 4)
            dy = y - tl.load(pose + 5)
            a = tl.load(pose)
            b = tl.load(pose + 1)
            c = tl.load(pose + 2)
            d = tl.load(pose + 3)
            kind = tl.load(shape + 3 * o)
            first = tl.load(shape + 3 * o + 1)
            corners = tl.load(shape + 3 * o + 2)
            share, _ = covered(dx, dy, a, b, c, d, tl.load(pose + 8), kind, first, corners, edges, exact)
            level = level * (1.0 - share) + tl.load(value + o) * share
    return level


@equation
def add(frames, place, count, cap, some):
    """Add to the frame's counts, up to the cap."""
    before = tl.load(frames + place, mask=some, other=0.0)
    tl.store(frames + place, minimum(before + count, cap), mask=some)


@equation
def emit(keys, total, room, key, some):
    """Append keys where there is room; count them also where there is none."""
    one = some.to(tl.int64)
    slot = tl.atomic_add(total, tl.sum(one)) + tl.cumsum(one) - 1
    tl.store(keys + slot, key, mask=some & (slot < room))


@equation
def noise(
    stream,
    times,
    frame,
    pixel,
    skip,
    skip_time,
    limit,
    fires,
    place,
    p,
    t0,
    dt_us,
    pixels,
    base,
    cap,
    frames,
    keys,
    total,
    room,
):
    """Noise events of a tile in a frame: where the hash of the pixel is below the limit."""
    start = stir(word(tl.load(stream)), word(frame))
    some = fires & ((stir(start, word(pixel + skip)) >> 8) < word(limit))
    if any_of(some):
        if frames is not None:
            add(frames, place, 1.0, cap, some)
        if keys is not None:
            start = stir(word(tl.load(times)), word(frame))
            u = (stir(start, word(pixel + skip_time)) >> 8).to(tl.int64)
            emit(keys, total, room, base + ((t0 + ((u * dt_us) >> 24)) * pixels + pixel) * 2 + p, some)


@equation
def clip_kernel(
    sizes,
    light,
    poses,
    shape,
    edges,
    value,
    members,
    bounds,
    state,
    on,
    off,
    hot,
    hashes,
    frames,
    keys,
    total,
    LOGARITHM: tl.constexpr,
    EXACT: tl.constexpr,
    HOT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """All frames of a tile of a clip: the layers one after the other, then the noise."""
    clips = tl.load(sizes)
    objects = tl.load(sizes + 1)
    layers = tl.load(sizes + 2)
    frame_count = tl.load(sizes + 3)
    pre = tl.load(sizes + 4)
    substeps = tl.load(sizes + 5)
    dt_us = tl.load(sizes + 6)
    height = tl.load(sizes + 7)
    width = tl.load(sizes + 8)
    background = tl.load(light)
    sign = tl.load(light + 1)
    step_us = tl.load(light + 2)
    cap = tl.load(light + 3).to(tl.float32)
    room = tl.load(total + 1)
    clip = tl.program_id(1)
    none = clip.to(tl.int64) * 0  # the interpreter's loops count in plain numbers: this makes them tensors
    pixels = height * width
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < pixels
    row = pixel // width
    x = (pixel - row * width).to(tl.float64) + 0.5
    y = row.to(tl.float64) + 0.5
    x0 = tl.min(x)
    x1 = tl.max(x)
    y0 = tl.min(y)
    y1 = tl.max(y)
    base = clip.to(tl.int64) * frame_count * dt_us * pixels * 2
    steps = (pre + frame_count) * substeps
    poses += clip.to(tl.int64) * (steps + 1) * objects * 9
    value += clip * objects
    up = tl.load(on + clip * pixels + pixel, mask=inside, other=1.0)
    down = tl.load(off + clip * pixels + pixel, mask=inside, other=1.0)
    for layer in range(layers):
        begin = tl.load(bounds + layer)
        end = tl.load(bounds + layer + 1)
        v = tl.load(state + (clip * layers + layer).to(tl.int64) * pixels + pixel, mask=inside, other=0.0)
        was = x * 0.0 + background
        gained = x * 0.0
        lost = x * 0.0
        for step in range(steps + 1):
            pose = poses + (step + none) * objects * 9
            now = intensity(x, y, x0, x1, y0, y1, pose, shape, edges, value, members, begin, end, background, EXACT)
            frame = (step + substeps - 1) // substeps - 1 - pre
            if any_of((now != was) & inside):
                if step > 0:
                    rise = gain(was, now, sign, LOGARITHM)
                    count, left = crossings(v, rise, up, down)
                    if frame >= 0:
                        gained += maximum(count, 0.0)
                        lost += maximum(-count, 0.0)
                        if keys is not None:
                            start = (pre * dt_us).to(tl.float64)
                            stop = ((frame + none + 1) * dt_us).to(tl.float64)
                            most = tl.max(tl.where(inside, absolute(count), 0.0)).to(tl.int32)
                            for j in range(1, most + 1):
                                share = moment(v, rise, j + x * 0.0, up, down)
                                t = stamp(step - 1 + x * 0.0, share, step_us, start, stop)
                                some = inside & (absolute(count) >= j)
                                whole = tl.where(some, t, 0.0).to(tl.int64)
                                key = base + (whole * pixels + pixel) * 2 + (count > 0).to(tl.int64)
                                emit(keys, total, room, key, some)
                    v = left
                was = now
            if (frame >= 0) & (step % substeps == 0):
                if frames is not None:
                    place = ((frame + none) * clips + clip) * 2 * pixels + pixel
                    if any_of((gained + lost > 0) & inside):
                        add(frames, place, lost.to(tl.float32), cap, (lost > 0) & inside)
                        add(frames, place + pixels, gained.to(tl.float32), cap, (gained > 0) & inside)
                gained = x * 0.0
                lost = x * 0.0
    fires = inside
    if HOT:
        fires = (tl.load(hot + clip * pixels + pixel, mask=inside, other=0) > 0) & inside
    times = hashes + 2 * clips + clip
    for frame in range(frame_count):
        t0 = (frame + none) * dt_us
        for p in range(2):
            place = (((frame + none) * clips + clip) * 2 + p) * pixels + pixel
            stream = hashes + (1 - p) * clips + clip
            limit = tl.load(sizes + 9 + p)
            noise(stream, times, frame + none, pixel, 0, p * pixels, limit, inside, place, p, t0, dt_us,
                  pixels, base, cap, frames, keys, total, room)  # fmt: skip
            if HOT:
                stream = hashes + 3 * clips + clip
                limit = tl.load(sizes + 11)
                noise(stream, times, frame + none, pixel, p * pixels, (2 + p) * pixels, limit, fires, place, p,
                      t0, dt_us, pixels, base, cap, frames, keys, total, room)  # fmt: skip
