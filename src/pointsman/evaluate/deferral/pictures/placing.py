"""Where the names of points go, so that no two overlap and none hides a point.

Takes points and the sizes of their labels in one unit (pixels, inches); gives the centre of each label, or None where
no place is left. Greedy: earlier points choose first. Draws nothing and knows no font.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pointsman.records import Floats, Mask

_RINGS = (0.0, 0.6, 1.3, 2.2, 3.3, 4.6, 6.0)  # Distances to try, in heights of a label, beyond touching the point.
_STEPS = np.linspace(0.05, 0.95, 12)[:, None]  # Along a leader, from its point to its label.
_TURNS = 16  # Directions to try on each ring, to the right first.


def place_labels(
    points: Floats, sizes: Floats, view: tuple[float, float, float, float], radius: float
) -> list[tuple[float, float] | None]:
    """Centres of labels: beside their points if there is room, further out if not, in no case on another or its leader.

    Args:
        points: float [N, 2].
        sizes: float [N, 2], width and height of each label, margins included.
        view: left, bottom, right and top of where labels may stand.
        radius: of the points, which labels must not cover.
    """
    taken, leaders = np.empty((0, 4)), np.empty((0, 2))
    centres: list[tuple[float, float] | None] = []
    for point, size in zip(points, sizes, strict=True):
        boxes = _candidates(point, size, radius)
        free = _inside(boxes, view) & ~_hit(boxes, taken) & ~_cover(boxes, points, radius)
        free &= ~_cover(boxes, leaders, 0.1 * radius)
        chosen = next((at for at in np.flatnonzero(free) if not _crosses(point, boxes[at], taken)), None)
        if chosen is None:
            centres.append(None)
            continue
        box = boxes[chosen]
        taken, leaders = np.vstack([taken, box]), np.vstack([leaders, _leader(point, box)])
        centres.append((float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2))
    return centres


def _candidates(point: Floats, size: Floats, radius: float) -> Floats:
    """Boxes (left, bottom, right, top) around a point, the nearest first, right and left before above and below."""
    turns: Sequence[float] = [2 * math.pi * step / _TURNS for step in range(_TURNS)]
    turns = sorted(turns, key=lambda turn: (round(abs(math.sin(turn)), 6), -math.cos(turn), -math.sin(turn)))
    half = size / 2
    boxes = []
    for ring in _RINGS:
        for turn in turns:
            way = np.array([math.cos(turn), math.sin(turn)])
            # From the point to the label's edge along `way`: the label touches the ring, whatever its shape.
            to_edge = min(half[axis] / abs(way[axis]) for axis in (0, 1) if abs(way[axis]) > 1e-9)
            centre = point + way * (radius * 1.05 + ring * size[1] + to_edge)
            boxes.append([*(centre - half), *(centre + half)])
    return np.array(boxes)


def _leader(point: Floats, box: Floats) -> Floats:
    """Places along the line from a point to the nearest spot of its label."""
    return np.asarray(point + _STEPS * (np.clip(point, box[:2], box[2:]) - point))


def _crosses(point: Floats, box: Floats, taken: Floats) -> bool:
    """Whether the line to a label would run through another one."""
    return bool(_cover(taken, _leader(point, box), 0.0).any())


def _inside(boxes: Floats, view: tuple[float, float, float, float]) -> Mask:
    left, bottom, right, top = view
    return np.asarray((boxes[:, 0] >= left) & (boxes[:, 1] >= bottom) & (boxes[:, 2] <= right) & (boxes[:, 3] <= top))


def _hit(boxes: Floats, taken: Floats) -> Mask:
    """Which of the boxes overlap one that is taken."""
    a, b = boxes[:, None, :], taken[None, :, :]
    across = (a[..., 0] < b[..., 2]) & (b[..., 0] < a[..., 2])
    along = (a[..., 1] < b[..., 3]) & (b[..., 1] < a[..., 3])
    return np.asarray((across & along).any(axis=1))


def _cover(boxes: Floats, points: Floats, radius: float) -> Mask:
    """Which of the boxes have a point within `radius` of them, or in them."""
    nearest = np.clip(points[None, :, :], boxes[:, None, :2], boxes[:, None, 2:])
    return np.asarray((np.linalg.norm(nearest - points[None, :, :], axis=2) <= radius).any(axis=1))
