"""Pictures of an atlas: where each model is good, and which models are alike.

Takes an `atlas.Atlas` and the rows' meta; gives pictures. Models without a recorded score are left out; of very many
models a part is drawn or named, and the note says so. Places and words come from the atlas: nothing is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from pointsman.evaluate.deferral.atlas import Atlas, Cluster
from pointsman.evaluate.deferral.pictures.placing import place_labels
from pointsman.evaluate.deferral.records import DeferralMeta
from pointsman.evaluate.plots import HEAD_IN, MARGIN_IN, WIDTH_IN, Picture, short_names
from pointsman.evaluate.plots.labels import cut_name, listed
from pointsman.evaluate.plots.looks import FAINT, INK, PAPER, luminance
from pointsman.evaluate.plots.sheet import STYLE, drawable, make_sheet, place_axes
from pointsman.records import Floats

MOST_ROWS = 45
WORDS_SHOWN = 3
_ROW_IN, _COLUMN_IN, _COLUMNS_IN = 0.25, 0.66, 7.9
_HEADING_LETTERS = 25  # Over a column, slanted.


@rc_context(STYLE)
def plot_heat(atlas: Atlas, meta: DeferralMeta) -> Picture:
    """Models by clusters: each model's mean score in a cluster minus its mean over all prompts, in points.

    The best model is on top, the largest cluster at the left. The row of all models says which clusters are easy.
    """
    order = _ranked(atlas)
    shown = _thinned(order)
    differences = 100 * (atlas.score - atlas.model_means[:, None])
    easy = _row_means(differences[order])
    title = "Where each model is good: models by kinds of prompts"
    note = "mean score in the cluster minus the model's mean, in points; best model on top, largest cluster left"
    note += f"; {len(shown)} of {len(order)} models" if len(shown) < len(order) else ""
    head = HEAD_IN + 0.4 + 0.05 * max(len(_cluster_words(one, _HEADING_LETTERS)) for one in atlas.clusters)
    height = head + _ROW_IN * (len(shown) + 1.4) + 0.75
    figure = make_sheet(title, _facts(atlas, meta), note, height, simulated=meta.simulated)
    width = min(_COLUMN_IN * len(atlas.clusters), _COLUMNS_IN)
    axes = place_axes(figure, 2.75, WIDTH_IN - 2.75 - width, head, 0.75)
    rows = [*differences[shown], easy]
    places = [*range(len(shown)), len(shown) + 0.4]
    for place, row in zip(places, rows, strict=True):
        _heat_row(axes, place, row, _limit(differences))
    _name_heat(axes, atlas, shown, places)
    _head_columns(axes, atlas.clusters)
    alt = listed((f"{_cluster_words(one)}: {value:+.1f}" for one, value in zip(atlas.clusters, easy, strict=True)), 20)
    return Picture("heat", title, f"Heat map of {len(shown)} models by kinds of prompts; all models: {alt}", figure)


def _facts(atlas: Atlas, meta: DeferralMeta) -> str:
    prompts = sum(cluster.prompts for cluster in atlas.clusters)
    clusters = f"{len(atlas.clusters)} clusters of {prompts:,} prompts"
    return f"{cut_name(meta.dataset, 40)} · {len(atlas.models)} models · {clusters}"


def _ranked(atlas: Atlas) -> list[int]:
    """Models with a score, the best first."""
    there = [at for at in range(len(atlas.models)) if math.isfinite(atlas.model_means[at])]
    return sorted(there, key=lambda at: (-atlas.model_means[at], atlas.models[at]))


def _thinned(order: Sequence[int]) -> list[int]:
    """All of them, or `MOST_ROWS` evenly through the ranks, the first and the last among them."""
    if len(order) <= MOST_ROWS:
        return list(order)
    return [order[round(at)] for at in np.linspace(0, len(order) - 1, MOST_ROWS)]


def _row_means(values: Floats) -> Floats:
    count = np.isfinite(values).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan))


def _limit(differences: Floats) -> float:
    """Where the colours end: the size that one difference in fifty exceeds."""
    sizes = np.abs(differences[np.isfinite(differences)])
    return max(1.0, float(np.quantile(sizes, 0.98))) if len(sizes) else 1.0


def _heat_row(axes: Axes, place: float, row: Floats, limit: float) -> None:
    """One row of cells with their figures; a cell without a score stays white and has a dash."""
    norm = TwoSlopeNorm(0.0, -limit, limit)
    for column, value in enumerate(row):
        known = math.isfinite(value)
        colour = colormaps["PuOr"](norm(value)) if known else (1.0, 1.0, 1.0, 1.0)
        axes.barh(place, 1, 0.96, left=column - 0.5, color=colour, edgecolor=PAPER, linewidth=0.8)
        ink = PAPER if luminance(np.array(colour[:3])) < 0.25 else INK
        words = f"{value:+.0f}".replace("-", "−") if known else "–"
        words = "0" if words in {"+0", "−0"} else words
        axes.text(column, place, words, size=9, color=ink, ha="center", va="center")


def _name_heat(axes: Axes, atlas: Atlas, shown: Sequence[int], places: Sequence[float]) -> None:
    """Names left of the rows, means right of them."""
    names = short_names(atlas.models, 30)
    words = [*(drawable(names[atlas.models[at]]) for at in shown), "all models"]
    axes.set_yticks(list(places), words, color=INK, size=10)
    axes.set_ylim(len(shown) + 0.95, -0.55)
    axes.set_xlim(-0.5, len(atlas.clusters) - 0.5)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    right = len(atlas.clusters) - 0.35
    means = [*(float(atlas.model_means[at]) for at in shown), float(np.nanmean(atlas.model_means))]
    for place, mean in zip(places, means, strict=True):
        axes.text(right, place, f"{100 * mean:.1f}", size=10, color=FAINT, va="center")
    axes.text(
        right + 0.2, -0.9, "mean score, %", size=10, color=FAINT, va="bottom", rotation=38, rotation_mode="anchor"
    )


def _head_columns(axes: Axes, clusters: Sequence[Cluster]) -> None:
    """The clusters' words over the columns, their sizes below them."""
    for column, cluster in enumerate(clusters):
        way: dict[str, Any] = {"rotation": 38, "rotation_mode": "anchor", "ha": "left", "va": "bottom"}
        axes.text(column - 0.1, -0.9, drawable(_cluster_words(cluster, _HEADING_LETTERS)), size=10, color=INK, **way)
    sizes = [f"{cluster.prompts:,}" for cluster in clusters]
    axes.set_xticks(range(len(clusters)), sizes, size=9)
    axes.set_xlabel("prompts in the cluster; over the columns: the words that tell it from the others", size=10)


def _cluster_words(cluster: Cluster, limit: int = 60) -> str:
    """The most telling words, as many as fit."""
    words: list[str] = []
    for word in cluster.words[:WORDS_SHOWN]:
        if len(", ".join([*words, word])) <= limit or not words:
            words.append(cut_name(word, limit))
    return ", ".join(words) or "no telling word"


# ---- likeness


@rc_context(STYLE)
def plot_likeness(atlas: Atlas, meta: DeferralMeta) -> Picture:
    """Models in a plane: close together where they succeed and fail on the same prompts, coloured by mean score."""
    order = _ranked(atlas)
    places, means = atlas.places[order], atlas.model_means[order]
    title = "Models by likeness"
    note = "close: right and wrong on the same prompts, once each prompt's and each model's mean are taken off; "
    note += f"{100 * atlas.kept:.0f} % of the distances kept"
    figure = make_sheet(title, _facts(atlas, meta), note, HEAD_IN + 7.2, simulated=meta.simulated)
    axes = place_axes(figure, MARGIN_IN, MARGIN_IN + 0.95, HEAD_IN + 0.15, MARGIN_IN)
    norm = _shade(means)
    look: dict[str, Any] = {"cmap": _SHADES, "norm": norm, "s": _DOT**2, "edgecolors": PAPER, "linewidths": 0.8}
    axes.scatter(places[:, 0], places[:, 1], c=means, zorder=3, **look)
    _fit_plane(axes, places)
    unnamed = _name_points(figure, axes, [atlas.models[at] for at in order], places)
    _scale_bar(figure, norm)
    if unnamed:
        at = (0.995, 0.01)
        axes.text(*at, f"{unnamed} models without room for a name", transform=axes.transAxes, ha="right", color=FAINT)
    best = listed((atlas.models[at] for at in order), 8)
    words = f"Map of {len(order)} models, close together where they succeed on the same prompts. The best first: {best}"
    return Picture("likeness", title, words, figure)


_DOT = 9.0  # Points across.
_SHADES = "viridis_r"


def _shade(means: Floats) -> Normalize:
    low, high = (float(means.min()), float(means.max())) if len(means) else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 0.01)


def _fit_plane(axes: Axes, places: Floats) -> None:
    """The same scale on both axes, all points well inside, no figures: directions mean nothing."""
    low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.ones(2))
    middle, reach = (low + high) / 2, (high - low) / 2
    ratio = axes.bbox.width / axes.bbox.height
    half = 1.15 * max(float(reach[1]), float(reach[0]) / ratio, 1e-6)
    axes.set(xlim=(middle[0] - half * ratio, middle[0] + half * ratio), ylim=(middle[1] - half, middle[1] + half))
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#d1d9e0")


def _name_points(figure: Figure, axes: Axes, models: Sequence[str], places: Floats) -> int:
    """Every name beside its point, with a thin line where it had to move away; how many found no room."""
    names = short_names(models, 28 if len(models) <= 40 else 22)
    words = [drawable(names[model]) for model in models]
    size = 9.5 if len(models) <= 40 else 8.0
    scale = 72 / figure.dpi  # Everything in points, whatever the resolution.
    points = axes.transData.transform(places) * scale
    box = axes.get_window_extent()
    view = (box.x0 * scale + 3, box.y0 * scale + 3, box.x1 * scale - 3, box.y1 * scale - 3)
    sizes = _sizes_of(words, size)
    centres = place_labels(points, sizes + np.array([4.0, 1.0]), view, _DOT / 2 + 0.5)
    for word, point, extent, centre in zip(words, points, sizes, centres, strict=True):
        if centre is not None:
            _write_name(axes, word, size, point, extent, np.array(centre))
    return sum(centre is None for centre in centres)


def _sizes_of(words: Sequence[str], size: float) -> Floats:
    """Width and height of each word in points."""
    renderer = FigureCanvasAgg(Figure(dpi=72)).get_renderer()  # type: ignore[no-untyped-call]
    from_font = Figure(dpi=72)
    texts = [from_font.text(0, 0, word, size=size) for word in words]
    boxes = [text.get_window_extent(renderer) for text in texts]
    return np.array([[box.width * 1.03, box.height] for box in boxes]).reshape(len(words), 2)


def _write_name(axes: Axes, word: str, size: float, point: Floats, extent: Floats, centre: Floats) -> None:
    """One name, and the line to its point if it is further away than the point is wide."""
    way: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
    arrow = {"arrowstyle": "-", "color": "#8c959f", "lw": 0.7, "shrinkA": 0, "shrinkB": _DOT / 2}
    at = _pair(axes.transData.inverted().transform(point * axes.figure.dpi / 72))
    nearest = np.clip(point, centre - extent / 2, centre + extent / 2)
    if np.linalg.norm(nearest - point) > _DOT:
        axes.annotate("", at, _pair(nearest - point), arrowprops=arrow, zorder=2, **way)
    axes.annotate(word, at, _pair(centre - point), size=size, color=INK, zorder=4, **way)


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _scale_bar(figure: Figure, norm: Normalize) -> None:
    """The colours of mean scores, at the right edge."""
    axes = place_axes(figure, WIDTH_IN - MARGIN_IN - 0.75, MARGIN_IN + 0.57, HEAD_IN + 0.5, 3.6)
    steps = np.linspace(0, 1, 256)[:, None]
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    axes.imshow(steps, cmap=_SHADES, aspect="auto", origin="lower", extent=(0, 1, low, high))
    axes.set(xticks=[])
    axes.yaxis.tick_right()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_title("mean score", size=10, color=FAINT, loc="left", pad=8)
