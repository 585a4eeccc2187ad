"""Mermaid's state diagrams, drawn as pictures when the site is built; other pages of the web draw them with a script.

Takes the lines `a --> b: label` of a `stateDiagram-v2` without cycles; gives an SVG whose columns are steps from the
start. Draws nothing else: any other line is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive

WAY = re.compile(r"\s*(\S+) --> (\S+?)(?:: (.+))?")
BOX, GAP, ROW, EDGE = (104, 34), 92, 60, 12
START, END, DOT = "start", "end", 7

Way = tuple[str, str, str]
Spot = tuple[float, float]


def ways_of(lines: Sequence[str]) -> list[Way]:
    """The transitions of a diagram: from, to, label.

    Raises:
        ValueError: a line that is none.
    """
    if not lines or lines[0].strip() != "stateDiagram-v2":
        raise ValueError("only stateDiagram-v2 is drawn")
    found = []
    for line in lines[1:]:
        way = WAY.fullmatch(line)
        if way is None:
            raise ValueError(f"no transition: {line!r}")
        before, after, label = way.groups()
        found.append((START if before == "[*]" else before, END if after == "[*]" else after, label or ""))
    return found


def spots_of(ways: Sequence[Way]) -> dict[str, Spot]:
    """Where each state's middle is: columns by the longest way from the start, centred rows."""
    column = {START: 0}
    for _ in ways:
        for before, after, _ in ways:
            if before in column:
                column[after] = max(column.get(after, 0), column[before] + 1)
    ranks: dict[int, list[str]] = {}
    for state, rank in column.items():
        ranks.setdefault(rank, []).append(state)
    tallest = max(len(states) for states in ranks.values())
    spots, x = {}, float(EDGE)
    for rank in sorted(ranks):
        width = 2 * DOT if set(ranks[rank]) <= {START, END} else BOX[0]
        top = EDGE + ROW / 2 + (tallest - len(ranks[rank])) * ROW / 2
        for place, state in enumerate(ranks[rank]):
            spots[state] = (x + width / 2, top + place * ROW)
        x += width + GAP
    return spots


def drawn(ways: Sequence[Way]) -> str:
    """The diagram as an SVG element that takes its colours from the page."""
    spots = spots_of(ways)
    width = max(x for x, _ in spots.values()) + BOX[0] / 2 + EDGE
    height = max(y for _, y in spots.values()) + ROW / 2 + EDGE
    told = "; ".join(f"{before} to {after}" + (f" by {label}" if label else "") for before, after, label in ways)
    body = "".join(_way(spots, way) for way in ways) + "".join(_state(name, spot) for name, spot in spots.items())
    return (
        f'<svg class="state-diagram" role="img" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'aria-label="{escape(told)}"><defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path class="dot" d="M0 0 L8 4 L0 8 z"/></marker></defs>{body}</svg>'
    )


def _way(spots: dict[str, Spot], way: Way) -> str:
    before, after, label = way
    (x1, y1), (x2, y2) = spots[before], spots[after]
    x1, x2 = x1 + _half(before), x2 - _half(after)
    bend = (x2 - x1) / 2
    beside = y2 + 16 if y2 > y1 else y2 - 6  # on the side that the line doesn't come from
    text = f'<text x="{x2 - 8:.0f}" y="{beside:.0f}" text-anchor="end">{escape(label)}</text>' if label else ""
    path = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x1 + bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path class="way" d="{path}" marker-end="url(#tip)"/>{text}'


def _half(state: str) -> float:
    return DOT if state in {START, END} else BOX[0] / 2


def _state(name: str, spot: Spot) -> str:
    x, y = spot
    if name in {START, END}:
        ring = f'<circle class="way" cx="{x:.0f}" cy="{y:.0f}" r="{DOT + 3}"/>' if name == END else ""
        return f'<circle class="dot" cx="{x:.0f}" cy="{y:.0f}" r="{DOT}"/>{ring}'
    left, top = x - BOX[0] / 2, y - BOX[1] / 2
    box = f'<rect class="box" x="{left:.0f}" y="{top:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
    return f'{box}<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{escape(name)}</text>'


class StateDiagram(Directive):
    """A fence of `mermaid`."""

    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """The picture; an error of the build where it can't be drawn."""
        try:
            return [nodes.raw("", drawn(ways_of(list(self.content))), format="html")]
        except ValueError as error:
            raise self.error(str(error)) from error


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_directive("mermaid", StateDiagram)
    return {"parallel_read_safe": True}
