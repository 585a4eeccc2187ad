"""The sheet that every picture is drawn on: one clean style, title and facts, keys, and the picture as bytes.

Takes titles, notes and rows; gives figures, axes placed in inches, and `Picture` values: a figure, its title and the
words that stand for it where it can't be seen. `to_png` and `to_svg` turn a picture into bytes, the same for the same
rows. Dark on white, 12 inches wide (1200 pixels at 100 dpi).
Text is never read as mathematics: a dollar sign in a model's name is a dollar sign. Opens no window, changes no
global style, and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pointsman.evaluate.plots.labels import cut_name
from pointsman.evaluate.plots.looks import FAINT, INK, PAPER
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.summary import AXES, base_setting
from pointsman.evaluate.wording import axis_words, setting_words

WIDTH_IN = 12.0
MARGIN_IN = 0.25
HEAD_IN = 1.1  # The title and two lines under it.

_FONT = "DejaVu Sans"  # Comes with matplotlib: a picture looks the same on every machine.
STYLE: Any = {
    "font.family": _FONT,
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#8c959f",
    "axes.labelcolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.unicode_minus": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "pointsman",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure: `name` for its file, `title` as drawn, `alt` for who can't see it."""

    name: str
    title: str
    alt: str
    figure: Figure


@rc_context(STYLE)
def to_png(picture: Picture, dpi: int = 200) -> bytes:
    """The picture as PNG, `WIDTH_IN * dpi` pixels wide."""
    return _bytes(picture.figure, "png", dpi)


@rc_context(STYLE)
def to_svg(picture: Picture) -> bytes:
    """The picture as SVG, the same bytes for the same rows."""
    return _bytes(picture.figure, "svg", 72)


def _bytes(figure: Figure, kind: Literal["png", "svg"], dpi: int) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def make_sheet(title: str, facts: str, note: str, height_in: float, *, simulated: bool) -> Figure:
    """A white sheet, its title and two lines on the left, and the word "simulated" where nobody can miss it."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    shown = f"{title} (simulated)" if simulated else title
    left = MARGIN_IN / WIDTH_IN
    figure.text(left, 1 - 0.2 / height_in, drawable(shown), size=16, weight="bold", va="top")
    figure.text(left, 1 - 0.56 / height_in, drawable(facts), size=11, color=FAINT, va="top")
    figure.text(left, 1 - 0.79 / height_in, drawable(note), size=11, color=FAINT, va="top")
    if simulated:
        tag = {"boxstyle": "round,pad=0.35", "facecolor": "#fff4ec", "edgecolor": "#D55E00"}
        words, where = "simulated: no real model answered", (1 - left, 1 - 0.24 / height_in)
        figure.text(*where, words, size=9.5, color="#a64500", ha="right", va="top", bbox=tag)
    return figure


def place_axes(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes by their distances from the sheet's edges, in inches."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(box)


def drawable(text: str) -> str:
    """Text on one line, with a box for what the font lacks (drawing it would warn and show the same box)."""
    flat = " ".join(text.split())
    return "".join(letter if ord(letter) in _glyphs() else "□" for letter in flat)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())


def draw_swatches(figure: Figure, words: Sequence[tuple[str, str]], top_in: float) -> None:
    """A row of coloured swatches with their words, a legend on one line."""
    draw_key(
        figure,
        [
            Line2D([], [], color=colour, linewidth=7, solid_capstyle="butt", label=drawable(word))
            for word, colour in words
        ],
        top_in,
    )


def draw_key(figure: Figure, handles: Sequence[Line2D], top_in: float) -> None:
    """A legend on one line, `top_in` inches below the sheet's upper edge."""
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(MARGIN_IN / WIDTH_IN, 1 - top_in / figure.get_size_inches()[1]),
        ncol=max(1, len(handles)),
        frameon=False,
        fontsize=10,
        handlelength=1.3,
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.0,
        borderpad=0.0,
    )


def percent_axis(axes: Axes) -> None:
    """An x axis from 0 to 1, written as per cents."""
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def bench_facts(rows: Rows) -> str:
    """What the rows are about, on one line: data set, models, base setting."""
    meta = rows.meta
    return f"{cut_name(meta.dataset, 50)} · {len(meta.models)} models · {setting_words(base_setting(rows))}"


def axis_facts(rows: Rows, axis: str) -> str:
    """As `bench_facts`, without the parameter that the picture varies."""
    meta, base = rows.meta, base_setting(rows)
    words = [axis_words(name, getattr(base, name)) for name in AXES if name != axis]
    models = [] if axis == "models" else [f"{len(meta.models)} models"]
    return " · ".join((cut_name(meta.dataset, 50), *models, ", ".join(words)))


def orders_words(policies: Iterable[Mapping[str, Sequence[Run]]]) -> str:
    """How many orders of arrivals a picture's means are taken over."""
    orders = max(len(runs) for found in policies for runs in found.values())
    return "one order of arrivals" if orders == 1 else f"mean of {orders} orders of arrivals ± one standard deviation"
