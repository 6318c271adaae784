"""Where a shape is: the signed distance to its edge, and the share of a pixel that it covers.

Written once for tensors, numba and Triton. q = A^-1 (p - centre). A pose is nine numbers: the matrix A^-1 by rows, the
centre (x, y), the half extents of the bounding box, and the distance F from which on no pixel is cut by the edge.
"""

from typing import Any

from eventsnn.camera.arithmetic import absolute, any_of, equation, maximum, minimum, read, sqrt, where


@equation
def box(ax: Any, ay: Any, w: float, h: float) -> Any:
    """Distance to a box with half sides w, h, from absolute(q)."""
    dx = ax - w
    dy = ay - h
    ox = maximum(dx, 0.0)
    oy = maximum(dy, 0.0)
    return sqrt(ox * ox + oy * oy) + minimum(where(dx > dy, dx, dy), 0.0)


@equation
def polygon(qx: Any, qy: Any, first: Any, corners: Any, edges: Any) -> Any:
    """Least distance to the edges; its sign flips with each edge that the ray from q to the right crosses.

    An edge is five numbers: start (x, y), way to the end (x, y), 1 / length^2.
    """
    least = qx * 0.0 + 1e30
    inside = qx > 1e30
    for k in range(corners):
        ax = read(edges, 5 * (first + k))
        ay = read(edges, 5 * (first + k) + 1)
        ex = read(edges, 5 * (first + k) + 2)
        ey = read(edges, 5 * (first + k) + 3)
        wx = qx - ax
        wy = qy - ay
        t = minimum(maximum((wx * ex + wy * ey) * read(edges, 5 * (first + k) + 4), 0.0), 1.0)
        dx = wx - ex * t
        dy = wy - ey * t
        square = dx * dx + dy * dy
        least = where(square < least, square, least)
        left = ex * wy > ey * wx
        up = (wy >= 0.0) & (wy < ey) & left
        down = (wy < 0.0) & (wy >= ey) & (ex * wy <= ey * wx)
        inside = inside != (up | down)
    far = sqrt(least)
    return where(inside, -far, far)


@equation
def distance(qx: Any, qy: Any, kind: Any, first: Any, corners: Any, edges: Any) -> Any:
    """F(q), negative inside, in units of the half size. Kinds: 0 circle, 1 square, 2 ring, 3 cross, 4 polygon."""
    if kind == 4:
        f = polygon(qx, qy, first, corners, edges)
    elif kind == 1:
        f = box(absolute(qx), absolute(qy), 1.0, 1.0)
    elif kind == 3:
        tall = box(absolute(qx), absolute(qy), 1.0 / 3.0, 1.0)
        wide = box(absolute(qx), absolute(qy), 1.0, 1.0 / 3.0)
        f = where(tall < wide, tall, wide)
    else:
        f = sqrt(qx * qx + qy * qy) - 1.0
        if kind == 2:
            f = absolute(f + 0.25) - 0.25
    return f


@equation
def straight(f: Any, gx: Any, gy: Any, exact: Any) -> Any:
    """Share of a pixel behind a straight edge, from F at its centre and the change of F from side to side.

    Not ``exact``: as if the edge were upright, which is cheaper and off by 0.043 at most.
    """
    steep = maximum(sqrt(gx * gx + gy * gy), 1e-30)
    d = f / steep
    if exact:
        gx = absolute(gx) / steep
        gy = absolute(gy) / steep
        a = maximum(where(gx > gy, gx, gy), 1e-30)
        b = where(gx > gy, gy, gx)
        rest = maximum((a + b) / 2.0 - absolute(d), 0.0)
        tail = rest * rest / maximum(2.0 * a * b, 1e-9)
        share = where(absolute(d) <= (a - b) / 2.0, 0.5 - d / a, where(d > 0.0, tail, 1.0 - tail))
    else:
        share = minimum(maximum(0.5 - d, 0.0), 1.0)
    return share


@equation
def covered(
    x: Any, y: Any, a: Any, b: Any, c: Any, d: Any, skin: Any, kind: Any, first: Any, corners: Any, edges: Any,
    exact: Any,
) -> Any:  # fmt: skip
    """Share of a pixel that an object covers, and F there; (x, y) from the object's centre, A^-1 = ((a, b), (c, d))."""
    qx = a * x + b * y
    qy = c * x + d * y
    f = distance(qx, qy, kind, first, corners, edges)
    share = where(f < 0.0, f * 0.0 + 1.0, f * 0.0)
    if any_of(absolute(f) < skin):
        gx = f * 0.0
        gy = f * 0.0
        for k in range(4):  # half a pixel to the right, left, below, above
            down = k // 2
            ux = (0.5 - k % 2) * (1 - down)
            uy = (0.5 - k % 2) * down
            beside = distance(qx + a * ux + b * uy, qy + c * ux + d * uy, kind, first, corners, edges)
            gx += 2.0 * ux * beside
            gy += 2.0 * uy * beside
        share = straight(f, gx, gy, exact)
    return share, f
