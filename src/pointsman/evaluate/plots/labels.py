"""Words that fit on a picture: names cut short but still told apart, lists that end, labels moved apart.

Takes texts and positions; gives shorter texts and positions that don't overlap. Draws nothing and measures no font:
lengths are counted in letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def short_names(names: Iterable[str], limit: int = 26) -> dict[str, str]:
    """Names that fit: without their provider, then cut in the middle, wherever that still tells them apart."""
    known = list(dict.fromkeys(names))
    tails = [name.rsplit("/", 1)[-1] for name in known]
    kept = [tail if tails.count(tail) == 1 else name for name, tail in zip(known, tails, strict=True)]
    ways = [[cut_name(name, limit) for name in kept]]
    ways += [[_cut_at(name, limit, size) for name in kept] for size in range(2, limit - 2)]
    return dict(zip(known, max(ways, key=lambda way: len(set(way))), strict=True))


def cut_name(name: str, limit: int) -> str:
    """The name cut where most of its digits stay: they tell sizes and versions apart."""
    ways = [_cut_at(name, limit, size) for size in range(2, limit - 2)]
    return max(ways, key=lambda way: (sum(map(str.isdigit, way)), -abs(2 * way.find("…") - limit)))


def _cut_at(name: str, limit: int, tail: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def listed(parts: Iterable[str], most: int = 12) -> str:
    """The parts as one text, cut after `most` with the number of those left out."""
    known = list(parts)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return "; ".join(known[:most]) + more


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions nearest to `wanted`, in the same order, at least `gap` apart and within low and high if they fit.

    Neighbours that are too close are merged into a block around their mean (pool adjacent violators).
    """
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    blocks: list[tuple[float, int]] = []  # sum of (wanted - offset in the block), members
    for at in order:
        total, size = wanted[at], 1
        while blocks and blocks[-1][0] / blocks[-1][1] + blocks[-1][1] * gap > total / size:
            before, members = blocks.pop()
            total, size = before + total - size * members * gap, size + members
        blocks.append((total, size))
    spread = [total / size + step * gap for total, size in blocks for step in range(size)]
    shift = max(0.0, low - spread[0]) if spread else 0.0
    spread = [max(position + shift, low + rank * gap) for rank, position in enumerate(spread)]
    spread = [min(position, high - (len(spread) - 1 - rank) * gap) for rank, position in enumerate(spread)]
    placed = dict(zip(order, spread, strict=True))
    return [placed[at] for at in range(len(wanted))]
