"""What the tracker does with events, as kernels for a GPU; on a CPU the same is in ``attribution``, ``region_kernels``
and the filter of background activity. Multiplications and additions are not fused and sums that hang on their order are
whole numbers, so that results are those of the CPU.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["n"])
def locate(xs, ys, pixel, fault, n, width, height, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """The pixel of each event; a last one, and a fault, for those off the sensor."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(xs + i, i < n, other=0).to(tl.int32)
    y = tl.load(ys + i, i < n, other=0).to(tl.int32)
    off = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    tl.store(pixel + i, tl.where(off, width * height, y * width + x), i < n)
    tl.atomic_or(fault, tl.max(off.to(tl.int32), 0), sem="relaxed")


@triton.jit(do_not_specialize=["n"])
def runs(pixel, start, stop, n, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where the events of each pixel begin and end among those sorted by ``pixel``."""
    s = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = s < n
    here = tl.load(pixel + s, live, other=-1)
    before = tl.load(pixel + s - 1, live & (s > 0), other=-1)
    after = tl.load(pixel + s + 1, s + 1 < n, other=-1)
    tl.store(start + here, s, live & (here != before))
    tl.store(stop + here, s + 1, live & (here != after))


@triton.jit(do_not_specialize=["n", "steps", "looks", "tau"])
def judge(
    clock, xs, ys, order, start, stop, latest, keep, edges, seen, counts, n, steps, looks, tau, width, height, columns,
    cells, pool, most, FILTER: tl.constexpr, BLOCK: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Which events had a neighbour at most ``tau`` before them; those are counted, at most so many of a pixel.

    ``clock [n]`` is the time, never before that of an earlier event; ``order`` sorts by pixel, and of equal pixels by
    time. ``latest`` is each pixel's last event before these. ``edges [looks]`` are the events at which a look ends.
    """
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = i < n
    now = tl.load(clock + i, live, other=0)
    x = tl.load(xs + i, live, other=0).to(tl.int32)
    y = tl.load(ys + i, live, other=0).to(tl.int32)
    live = live & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    kept = live
    if FILTER:
        kept = i < 0
        for side in tl.static_range(9):
            if side != 4:
                qx, qy = x + side % 3 - 1, y + side // 3 - 1
                inside = live & (qx >= 0) & (qx < width) & (qy >= 0) & (qy < height)
                q = qy * width + qx
                first = tl.load(start + q, inside, other=0)
                low, high = first, tl.load(stop + q, inside, other=0)
                for _ in range(steps):  # the first of the pixel's events that is not before this one
                    open_ = low < high
                    middle = (low + high) // 2
                    left = open_ & (tl.load(order + middle, open_, other=0) < i)
                    high = tl.where(open_ & (left == 0), middle, high)
                    low = tl.where(left, middle + 1, low)
                has = low > first
                j = tl.load(order + low - 1, has, other=0)
                before = tl.load(latest + q, inside & (has == 0), other=-9223372036854775808)
                before = tl.where(has, tl.load(clock + j, has, other=0), before)
                kept = kept | (inside & (before >= now - tau))
    tl.store(keep + i, kept.to(tl.int8), i < n)
    look = i * 0
    for k in range(looks):
        look += (i >= tl.load(edges + k)).to(tl.int32)
    old = tl.atomic_add(seen + look * (width * height) + y * width + x, 1, kept, sem="relaxed")
    cell = (y // pool) * columns + x // pool
    tl.atomic_add(counts + look * cells + cell, 1, kept & (old < most), sem="relaxed")


@triton.jit(do_not_specialize=["n"])
def remember(clock, order, pixel, latest, n, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """The time of each pixel's last event."""
    s = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = s < n
    here = tl.load(pixel + s, live, other=-1)
    after = tl.load(pixel + s + 1, s + 1 < n, other=-1)
    ends = live & (here != after)
    t = tl.load(clock + tl.load(order + s, ends, other=0), ends, other=0)
    tl.store(latest + here, t, ends)


@triton.jit(do_not_specialize=["looks"])
def fade(state, counts, maps, decay, looks, cells, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """The leaky map after each look."""
    cell = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = cell < cells
    value = tl.load(state + cell, live, other=0.0)
    leak = tl.load(decay)
    for look in range(looks):
        new = tl.load(counts + look * cells + cell, live, other=0)
        value = (value.to(tl.float64) * leak + new).to(tl.float32)
        tl.store(maps + look * cells + cell, value, live)
    tl.store(state + cell, value, live)


@triton.jit
def block_sums(maps, sums, columns, cells, across, blocks, side, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Sums over blocks of ``side`` x ``side`` cells, ``across`` of them in a row, one look after the other."""
    b = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    look = tl.program_id(1)
    live = b < blocks
    corner = maps + look * cells + (b // across) * side * columns + (b % across) * side
    total = tl.zeros([BLOCK], tl.float64)
    for row in range(side):
        for column in range(side):
            total += tl.load(corner + row * columns + column, live, other=0.0).to(tl.float64)
    tl.store(sums + look * blocks + b, total, live)


@triton.jit
def smooth(source, into, taps, mean, factor, rows, columns, r, step, DOWN: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Convolution along one axis with ``taps [2 r + 1]``: first down, of the map less its mean, then across."""
    cell = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    look = tl.program_id(1)
    live = cell < rows * columns
    place = cell // columns if DOWN else cell % columns
    length = rows if DOWN else columns
    base = look * rows * columns + cell
    value = tl.zeros([BLOCK], tl.float32)
    offset, by = tl.load(mean + look), tl.load(factor + look)
    for k in range(2 * r + 1):
        inside = live & (place + k >= r) & (place + k < length + r)
        here = tl.load(source + base + (k - r) * step, inside, other=0.0)
        tap = tl.load(taps + k)
        value += tl.where(inside, tap * (here - offset) if DOWN else (tap * by) * here, 0.0)
    tl.store(into + base, value, live)


@triton.jit
def assign(told, dt, result, fields, counts, head, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Each kept event to its target; see ``attribution``. ``told`` is what ``gpu_attribution.tell`` wrote.

    ``result [n, counts]`` is what ``attribute`` gives: whole numbers, and from ``head`` on, in 32 bits, histograms.
    """
    header = told.to(tl.pointer_type(tl.int64))
    ts = tl.load(header).to(tl.pointer_type(tl.int64))
    xs = tl.load(header + 1).to(tl.pointer_type(tl.int16))
    ys = tl.load(header + 2).to(tl.pointer_type(tl.int16))
    ps = tl.load(header + 3).to(tl.pointer_type(tl.uint8))
    keep = tl.load(header + 4).to(tl.pointer_type(tl.int8))
    first, last, end = tl.load(header + 5), tl.load(header + 6), tl.load(header + 7)
    n, crowded = tl.load(header + 8).to(tl.int32), tl.load(header + 9)
    targets = told + 10
    for at in range(first + tl.program_id(0) * BLOCK, last, tl.num_programs(0) * BLOCK):
        i = at + tl.arange(0, BLOCK)
        live = i < last
        live = live & (tl.load(keep + i, live, other=0) != 0)
        x = tl.load(xs + i, live, other=0).to(tl.float64)
        y = tl.load(ys + i, live, other=0).to(tl.float64)
        age = (end - tl.load(ts + i, live, other=0)).to(tl.float64) / tl.load(dt)
        owner = tl.full([BLOCK], -1, tl.int32)
        least = tl.full([BLOCK], float("inf"), tl.float64)
        from_x, from_y = tl.zeros([BLOCK], tl.float64), tl.zeros([BLOCK], tl.float64)
        for k in range(n):
            one = targets + k * fields
            dx = x - (tl.load(one) - tl.load(one + 2) * age)
            dy = y - (tl.load(one + 1) - tl.load(one + 3) * age)
            a, b = dx * tl.load(one + 4), dy * tl.load(one + 5)
            apart = a * a + b * b
            reached = live & (tl.abs(dx) < tl.load(one + 6)) & (tl.abs(dy) < tl.load(one + 7))
            nearer = reached & (apart < least)
            owner, least = tl.where(nearer, k, owner), tl.where(nearer, apart, least)
            from_x, from_y = tl.where(nearer, dx, from_x), tl.where(nearer, dy, from_y)
        mine = owner >= 0
        own = tl.where(mine, owner, 0)
        alone = mine
        if crowded != 0:
            for k in range(n):
                one = targets + k * fields
                near = tl.load(targets + own * fields + 10 + k, mine, other=0.0) > 0
                dx = x - (tl.load(one) - tl.load(one + 2) * age)
                dy = y - (tl.load(one + 1) - tl.load(one + 3) * age)
                gated = (tl.abs(dx) <= tl.load(one + 8)) & (tl.abs(dy) <= tl.load(one + 9))
                alone = alone & ((near & gated) == 0)
        into = result + own * counts
        on = tl.load(ps + i, mine, other=0) != 0
        unit = tl.full([BLOCK], 1, tl.int64)
        tl.atomic_add(into, unit, mine, sem="relaxed")
        tl.atomic_add(into + 1, unit, mine & on, sem="relaxed")
        tl.atomic_add(into + 2, unit, alone, sem="relaxed")
        reach_x = tl.load(targets + own * fields + 6, alone, other=1.0)
        reach_y = tl.load(targets + own * fields + 7, alone, other=1.0)
        tl.atomic_add(into + 3, (from_x * 4294967296.0).to(tl.int64), alone, sem="relaxed")
        tl.atomic_add(into + 4, (from_y * 4294967296.0).to(tl.int64), alone, sem="relaxed")
        bins = counts - head
        at_x = ((from_x / reach_x + 1) / 2 * bins).to(tl.int32)
        at_y = ((from_y / reach_y + 1) / 2 * bins).to(tl.int32)
        places = (into + head).to(tl.pointer_type(tl.int32))
        tl.atomic_add(places + at_x, 1, alone, sem="relaxed")
        tl.atomic_add(places + bins + at_y, 1, alone, sem="relaxed")
