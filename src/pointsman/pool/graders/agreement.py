"""How well a grader agrees with a person: measured on replies that a person has labelled right or wrong.

Takes labelled replies, gives counts, shares and intervals by kind. It grades with the graders as they are, and
changes nothing. A judge is stood in for by what a model once answered, or would: that measures how its words are
read, not how well it judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.pool.graders.grade import Reply, ToolCall
from pointsman.pool.graders.kinds import grader_of

# From which score on a grade says "right". Kinds that give a share say it when nothing is missing.
ENOUGH: Mapping[str, float] = {"facts": 1.0, "rules": 1.0}
USUALLY_ENOUGH = 0.5
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Labelled:
    """One reply, and what a person says of it.

    Attributes:
        spec: of its grader.
        reply: what is graded.
        right: the person's label.
        judge_says: the judge's answers, in order, where the grader asks one.
        place: where it stands, for errors.
    """

    spec: Mapping[str, Any]
    reply: Reply
    right: bool
    judge_says: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one kind of grader did.

    Attributes:
        items: labelled replies.
        unclear: those that it couldn't tell.
        false_passes: wrong ones that it passed.
        false_fails: right ones that it failed.
        share: of those it told, how many as the person did; with a 95 % interval (Wilson).
        kappa: Cohen's, over those it told, NaN where nothing varies; with a 95 % interval (bootstrap).
    """

    items: int
    unclear: int
    false_passes: int
    false_fails: int
    share: tuple[float, float, float]
    kappa: tuple[float, float, float]


def read_labelled(path: Path) -> tuple[Labelled, ...]:
    """Labelled replies from a YAML file: a list of `{spec: …, right: [reply …], wrong: [reply …]}`.

    A reply is a text, or `{text, calls: [{name, arguments}], judge: [answer …], whole}`.

    Raises:
        InputError: it can't be read, or holds something else; names the entry.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", place=str(path), remedy="check the file") from None
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "spec" in one for one in entries):
        raise InputError("this is no list of labelled replies", place=str(path), remedy="write `- spec: …` entries")
    return tuple(item for number, one in enumerate(entries, 1) for item in _items(one, f"{path}, entry {number}"))


def _items(entry: Mapping[str, Any], place: str) -> Iterator[Labelled]:
    for name, right in (("right", True), ("wrong", False)):
        for reply in entry.get(name) or ():
            yield _item(entry["spec"], reply, right, place)


def _item(spec: Mapping[str, Any], written: Any, right: bool, place: str) -> Labelled:
    if isinstance(written, str):
        return Labelled(spec, Reply(written), right, place=place)
    try:
        calls = tuple(ToolCall(one["name"], one["arguments"]) for one in written.get("calls", ()))
        reply = Reply(written.get("text", ""), calls, written.get("whole", True))
        return Labelled(spec, reply, right, tuple(written.get("judge", ())), place)
    except (AttributeError, KeyError, TypeError):
        remedy = "write a text, or a mapping of `text`, `calls` and `judge`; quote numbers"
        raise InputError(f"{written!r:.80} is no reply", place=place, remedy=remedy) from None


def said(item: Labelled) -> bool | None:
    """What the grader says of a reply: right, wrong, or None where it can't tell."""
    answers = iter(item.judge_says)
    score = grader_of(item.spec, lambda _: next(answers)).grade(item.reply).score
    return None if score is None else score >= ENOUGH.get(str(item.spec["kind"]), USUALLY_ENOUGH)


def measure(items: Iterable[Labelled], rng: np.random.Generator) -> dict[str, Agreement]:
    """Agreement by kind, in the order in which the kinds first come, and over all of them as "all kinds"."""
    by_kind: dict[str, list[tuple[bool, bool | None]]] = {}
    for item in items:
        by_kind.setdefault(str(item.spec["kind"]), []).append((item.right, said(item)))
    found = {kind: agreement(pairs, rng) for kind, pairs in by_kind.items()}
    return found | {"all kinds": agreement([pair for pairs in by_kind.values() for pair in pairs], rng)}


def agreement(pairs: Sequence[tuple[bool, bool | None]], rng: np.random.Generator) -> Agreement:
    """Agreement of one grader's words with a person's: pairs of (person, grader)."""
    told = np.array([(right, found) for right, found in pairs if found is not None], dtype=bool).reshape(-1, 2)
    right, found = told[:, 0], told[:, 1]
    return Agreement(
        items=len(pairs),
        unclear=len(pairs) - len(told),
        false_passes=int(np.sum(found & ~right)),
        false_fails=int(np.sum(right & ~found)),
        share=wilson(int(np.sum(right == found)), len(told)),
        kappa=kappa_interval(right, found, rng),
    )


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson, 1927); (NaN, 0, 1) of nothing."""
    if of == 0:
        return nan, 0.0, 1.0
    z = 1.959963984540054
    share = hits / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return share, max(0.0, middle - half), min(1.0, middle + half)


def kappa(right: NDArray[np.bool_], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cohen's kappa (1960) along the last axis; NaN where chance alone would agree always."""
    observed = (right == found).mean(axis=-1)
    yes = right.mean(axis=-1), found.mean(axis=-1)
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(chance < 1, (observed - chance) / (1 - chance), nan), dtype=np.float64)


def kappa_interval(
    right: NDArray[np.bool_], found: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Kappa with its 95 % interval, from resamples of the pairs."""
    if len(right) == 0:
        return nan, nan, nan
    drawn = rng.integers(len(right), size=(RESAMPLES, len(right)))
    values = kappa(right[drawn], found[drawn])
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (nan, nan)
    return float(kappa(right, found)), float(low), float(high)
