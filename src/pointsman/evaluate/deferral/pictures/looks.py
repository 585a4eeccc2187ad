"""How a method is drawn: one look in every picture, and the facts that stand under every title.

Takes a method's name or the rows' meta; gives a `Look` (published methods in colours that survive colour blindness,
references grey, clairvoyant ones dashed) or a line of words. Refuses no name. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pointsman.evaluate.deferral.pictures.series import Group
from pointsman.evaluate.deferral.records import DeferralMeta
from pointsman.evaluate.plots.labels import cut_name
from pointsman.evaluate.plots.looks import INK, Look

_DASHED, _DOTTED = (0, (4, 1.5)), (0, (1, 1.6))
LOOKS = {
    "zero": Look("#57606a", 2.0, _DOTTED, "None"),
    "pareto-random": Look("#8c959f", 1.6, _DOTTED, "<"),
    "knn": Look("#E69F00", 2.0, marker="s"),
    "kmeans": Look("#D55E00", 2.4),
    "learned-map": Look("#CC79A7", 1.8, marker="^"),
    "attributes": Look("#999933", 1.8, marker="v"),
    "mlp-retrained": Look("#56B4E9", 1.8, marker="D"),
    "matfac-retrained": Look("#009E73", 1.8, marker="P"),
    "transfer": Look("#0072B2", 3.2),
    "transfer-consensus": Look("#6f42c1", 2.4, marker="X"),
    "mlp-clairvoyant": Look("#56B4E9", 1.6, _DASHED, "D"),
    "matfac-clairvoyant": Look("#009E73", 1.6, _DASHED, "P"),
    "oracle": Look(INK, 1.6, _DOTTED, "None"),
}
MAIN = ("knn", "kmeans", "transfer", "transfer-consensus")  # Lines with a band: more bands would cover each other.


def look_of(method: str) -> Look:
    """A method's look; a name that nobody knows has one of its own."""
    return LOOKS.get(method, Look("#882255", 1.8, marker="h"))


def signed(value: float, places: int = 4) -> str:
    """A difference with its sign, a true minus: +0.0057, −0.0123."""
    return f"{value:+.{places}f}".replace("-", "−")


def bench_facts(meta: DeferralMeta, groups: Sequence[Group]) -> str:
    """What the groups are about, on one line: data set, models, trials, probes, what is held out."""
    trials = len({trial for group in groups for trial in group.trials})
    probes = sorted({group.probes for group in groups})
    models = f"{meta.known} models, all known" if meta.static else f"{meta.known} known, {meta.unseen} unseen models"
    words = [cut_name(meta.dataset, 40), models, "one trial" if trials == 1 else f"{trials:,} trials"]
    if len(probes) == 1 and probes[0]:
        words.append(f"{probes[0]:,} probes")
    return " · ".join(words + ["whole tasks held out"] * meta.shift)


def names_in(words: Iterable[str]) -> float:
    """Room in inches right of axes for names at the ends of lines."""
    return max(2.0, 0.5 + _LETTER_IN * max(map(len, words)))


def rows_in(words: Iterable[str]) -> float:
    """Room in inches left of axes for the names of rows, a mark included."""
    return max(2.0, 0.3 + _LETTER_IN * (2 + max(map(len, words))))


_LETTER_IN = 0.095
