"""What ``RegionDetector`` does on a CPU, compiled: map, background, receptive field, connected regions."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsnn.jit import compiled


@compiled
def collect(cells: Any, decay: float, x: Any, y: Any, seen: Any, pool: int, most: int) -> bool:
    """Let the map ``cells [H, W]`` fade and add events, at most so many of a pixel; False if one is off the sensor.

    ``seen [height, width]`` is zero before and after.
    """
    height, width = seen.shape
    for i in range(len(x)):
        if not (0 <= x[i] < width and 0 <= y[i] < height):
            return False
    new = np.zeros(cells.shape, np.int32)
    for i in range(len(x)):
        if seen[y[i], x[i]] < most:
            seen[y[i], x[i]] += 1
            new[y[i] // pool, x[i] // pool] += 1
    for i in range(len(x)):
        seen[y[i], x[i]] = 0
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            cells[row, column] = cells[row, column] * decay + new[row, column]
    return True


@compiled
def background(cells: Any, block: int, rank: int) -> float:
    """The mean of the whole block that so many have lower means than."""
    height, width = cells.shape[0] // block, cells.shape[1] // block
    sums = np.zeros((height, width))
    for row in range(height * block):
        into, line = sums[row // block], cells[row]
        for k in range(width):
            total = into[k]
            for column in range(k * block, (k + 1) * block):
                total += line[column]
            into[k] = total
    means = np.sort(sums.ravel()) / block**2
    found: float = means[rank]
    return found


@compiled
def smooth(cells: Any, mean: Any, taps: Any, factor: Any) -> Any:
    """``factor`` times the map less its mean, convolved with ``taps [2 r + 1]`` along both axes; 0 outside."""
    height, width = cells.shape
    r = len(taps) // 2
    down = np.zeros((height, width + 2 * r), np.float32)
    for row in range(height):
        into = down[row, r : r + width]
        for k in range(max(0, r - row), min(2 * r + 1, height + r - row)):
            source, tap = cells[row + k - r], taps[k]
            for column in range(width):
                into[column] += tap * (source[column] - mean)
    z = np.zeros((height, width), np.float32)
    for row in range(height):
        into = z[row]
        for k in range(2 * r + 1):
            source, tap = down[row, k : k + width], taps[k] * factor
            for column in range(width):
                into[column] += tap * source[column]
    return z


@compiled
def outlines(z: Any, cells: Any, edge: float, least: float) -> tuple[Any, Any]:
    """The regions of looks, one after the other, the strongest of each first; and how many there are up to each.

    ``z`` and ``cells`` are ``[looks, H, W]``; rows ``[n, 6]`` as ``outline`` says.
    """
    found, ends = [np.empty((0, 6))], np.zeros(len(z) + 1, np.int64)
    for look in range(len(z)):
        found.append(outline(z[look], cells[look], edge, least))
        ends[look + 1] = ends[look] + len(found[-1])
    result = np.empty((ends[-1], 6))
    for look in range(len(z)):
        rows = found[look + 1]
        result[ends[look] : ends[look + 1]] = rows[np.argsort(-rows[:, 5], kind="mergesort")]
    return result, ends


@compiled
def outline(z: Any, cells: Any, edge: float, least: float) -> Any:
    """Connected regions of z above ``edge`` that reach ``least``: ``[n, 6]``, corners of the 5 % and 95 % quantiles of
    the map along x and y (x and y of the low one, of the high one), cells with events, largest z.
    """
    height, width = z.shape
    new = np.zeros((height + 2, width + 2), np.bool_)
    rows, columns = np.empty(height * width, np.int32), np.empty(height * width, np.int32)
    highest = -np.inf
    for row in range(height):
        for column in range(width):
            new[row + 1, column + 1] = z[row, column] > edge
            highest = max(highest, z[row, column])
    if highest < least:
        return np.empty((0, 6))
    found = []
    for start in np.flatnonzero(new):
        rows[0], columns[0] = start // (width + 2) - 1, start % (width + 2) - 1
        if not new[rows[0] + 1, columns[0] + 1]:
            continue
        new[rows[0] + 1, columns[0] + 1] = False
        size, at, peak = 1, 0, -np.inf
        while at < size:
            row, column = rows[at], columns[at]
            at, peak = at + 1, max(peak, z[row, column])
            for y in range(row, row + 3):
                for x in range(column, column + 3):
                    if new[y, x]:
                        new[y, x] = False
                        rows[size], columns[size] = y - 1, x - 1
                        size += 1
        if peak < least:
            continue
        across, along, filled = np.zeros(width), np.zeros(height), 0
        for k in range(size):
            row, column = rows[k], columns[k]
            across[column] += cells[row, column]
            along[row] += cells[row, column]
            filled += cells[row, column] > 0
        region = np.empty(6)
        region[0], region[2] = _quantiles(across)
        region[1], region[3] = _quantiles(along)
        region[4], region[5] = filled, peak
        found.append(region)
    result = np.empty((len(found), 6))
    for k in range(len(found)):
        result[k] = found[k]
    return result


@compiled
def _quantiles(weight: Any) -> tuple[int, int]:
    """Cells where 5 % and 95 % of the weight along a line are reached."""
    total, share, low, high = max(weight.sum(), 1e-12), 0.0, -1, len(weight) - 1
    for k in range(len(weight)):
        share += weight[k] / total
        if low < 0 and share >= 0.05:
            low = k
        if share >= 0.95:
            high = k
            break
    return max(low, 0), high
