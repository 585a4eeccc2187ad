"""An atlas of a data set: what its prompts are about, where each model is good, and which models are alike.

Takes outcomes and prompts; gives an `Atlas` of aggregates: clusters of prompts with the words that tell them apart,
mean scores by model and cluster, and a plane in which models that succeed on the same prompts lie close together.
Keeps it as `atlas.json` beside the rows of a bench. No prompt and no single score is in it, and no word that fewer
than `LEAST_PROMPTS` prompts of its cluster hold. Made of all rows at once, it is for people to look at: no estimate
and no decision may read it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from pointsman.errors import InputError
from pointsman.evaluate.json_files import document, write_aside
from pointsman.records import Floats, Ints, Mask, Outcomes, Prompts, Vectors

ATLAS_FILE = "atlas.json"
MOST_WORDS = 6
LEAST_PROMPTS = 5
LEAST_LIFT = 2.0  # How many times as often as elsewhere a cluster's prompts hold a word that tells it from the others.
MAX_CHARS = 4_000  # Of a text that is read for words.
_STOP_WORDS = ENGLISH_STOP_WORDS | {"did", "does", "doing", "don", "doesn", "didn", "isn", "wasn", "aren"}
_WORD = r"(?u)\b[^\W\d_]{3,}\b"
_SWEEPS = 30  # Of prompts' and models' means, until both are gone; one is enough where no cell is missing.


@dataclass(frozen=True, slots=True)
class Cluster:
    """Prompts that are close together: the words that tell them from the others, the most telling first; how many."""

    words: tuple[str, ...]
    prompts: int


@dataclass(frozen=True, slots=True)
class Atlas:
    """Aggregates of one data set: M models, C clusters.

    Attributes:
        models: M ids.
        clusters: the largest first.
        model_means: float [M], mean score; NaN where nothing is recorded.
        score: float [M, C], mean score; NaN where nothing is recorded.
        count: int [M, C], recorded scores.
        places: float [M, 2], the plane of likeness, in units of score; only distances mean something.
        kept: share of the squared distances between models that the plane keeps, in [0, 1].
    """

    models: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    model_means: Floats
    score: Floats
    count: Ints
    places: Floats
    kept: float


def make_atlas(outcomes: Outcomes, prompts: Prompts, seed: int, clusters: int = 12) -> Atlas:
    """The atlas of a data set.

    Args:
        outcomes: Q rows, NaN where nothing is recorded.
        prompts: the same Q prompts.
        seed: of K-means.
        clusters: how many are wanted; there are fewer where fewer prompts differ.

    Raises:
        InputError: no row, rows that don't match, fewer than one cluster.
    """
    if not 0 < len(outcomes) == len(prompts):
        raise InputError(
            f"{len(outcomes)} outcomes, {len(prompts)} prompts",
            place="atlas",
            remedy="give the same rows, at least one",
        )
    if clusters < 1:
        raise InputError(f"{clusters} clusters", place="atlas", remedy="ask for at least one")
    member = cluster_prompts(prompts.vectors, clusters, seed)
    sizes = np.bincount(member)
    score, count = _by_cluster(outcomes.score, member)
    places, kept = map_models(outcomes.score)
    named = (Cluster(words, int(size)) for words, size in zip(telling_words(prompts.texts, member), sizes, strict=True))
    return Atlas(outcomes.models, tuple(named), _means(outcomes.score), score, count, places, kept)


def cluster_prompts(vectors: Vectors, clusters: int, seed: int) -> Ints:
    """The cluster of each prompt, by K-means; cluster 0 has the most prompts, none is empty."""
    different = len(np.unique(vectors, axis=0))
    found = KMeans(min(clusters, different), n_init=3, random_state=seed).fit_predict(vectors)
    _, member, sizes = np.unique(found, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    return np.asarray(rank[member], dtype=np.int64)


# ---- words


def telling_words(texts: Sequence[str], member: Ints, most: int = MOST_WORDS) -> list[tuple[str, ...]]:
    """The words of each cluster with the highest class-based TF-IDF (Grootendorst, arXiv 2203.05794).

    A word counts once a prompt, so that no long prompt speaks for its cluster. Stop words of English, digits and words
    of one or two letters are no words; what all prompts say ("choose one of the options") tells nothing: a word must be
    `LEAST_LIFT` times as frequent as in the other prompts. A cluster that no word tells from the others has none.
    """
    vectoriser = CountVectorizer(binary=True, stop_words=sorted(_STOP_WORDS), token_pattern=_WORD, dtype=np.int64)
    try:
        held = vectoriser.fit_transform([text[:MAX_CHARS] for text in texts])
    except ValueError:  # Nothing but stop words and digits.
        return [() for _ in range(int(member.max()) + 1)]
    vocabulary = vectoriser.get_feature_names_out()
    counts = _sum_rows(held, member)
    telling = (counts >= LEAST_PROMPTS) & (_lift(counts, np.bincount(member)) >= LEAST_LIFT)
    weight = np.where(telling, class_tfidf(counts), 0.0)
    return [_best_words(row, vocabulary, most) for row in weight]


def class_tfidf(counts: Ints) -> Floats:
    """How telling each word is for each class: its share of the class's words × log(1 + words a class ÷ its count).

    Args:
        counts: int [C, W], how often each of W words, all of them there, is found in each of C classes.
    """
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(share * np.log1p(counts.sum() / len(counts) / counts.sum(axis=0)), dtype=np.float64)


def _lift(counts: Ints, sizes: Ints) -> Floats:
    """Share of a class's prompts that hold a word ÷ share of all others that do [C, W]; infinite where none does."""
    inside = counts / sizes[:, None]
    outside = (counts.sum(axis=0) - counts) / np.maximum(sizes.sum() - sizes, 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(inside / outside, nan=0.0, posinf=np.inf), dtype=np.float64)


def _sum_rows(held: Any, member: Ints) -> Ints:
    """Sums of the rows of each class."""
    rows = np.arange(len(member))
    classes = sparse.csr_matrix((np.ones(len(member), dtype=np.int64), (member, rows)))
    return np.asarray((classes @ held).todense(), dtype=np.int64)


def _best_words(weight: Floats, vocabulary: Sequence[str], most: int) -> tuple[str, ...]:
    """The words of most weight, without those that only add an ending to one before them (number, numbers)."""
    chosen: list[str] = []
    for at in np.argsort(-weight, kind="stable"):
        if len(chosen) == most or weight[at] <= 0:
            break
        word = str(vocabulary[at])
        if not any(_same_stem(word, other) for other in chosen):
            chosen.append(word)
    return tuple(chosen)


def _same_stem(word: str, other: str) -> bool:
    short, long = sorted((word, other), key=len)
    return long.removeprefix(short) in {"s", "es", "ed", "d", "ing", "ly"}


# ---- scores


def _means(score: Floats) -> Floats:
    """Mean score of each model over what is recorded; NaN where nothing is."""
    count = np.isfinite(score).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(score, axis=0) / np.maximum(count, 1), np.nan))


def _by_cluster(score: Floats, member: Ints) -> tuple[Floats, Ints]:
    """Mean scores [M, C] and how many are recorded [M, C]."""
    parts = [score[member == cluster] for cluster in range(int(member.max()) + 1)]
    count = [np.isfinite(part).sum(axis=0) for part in parts]
    return np.stack([_means(part) for part in parts], axis=1), np.stack(count, axis=1).astype(np.int64)


# ---- likeness


def map_models(score: Floats) -> tuple[Floats, float]:
    """Places [M, 2] of the models by likeness, and the share of the squared distances that the plane keeps.

    Each prompt's mean and each model's mean are taken off the scores. The distance of two models is the root mean
    square difference of what is left, over the prompts that both have; classical multidimensional scaling (Torgerson
    1952) puts the distances into the plane. A model that shares no prompt with another lies at their mean distance.
    """
    return scale_down(model_distances(residuals(score)))


def residuals(score: Floats) -> Floats:
    """Scores [Q, M] without each prompt's and each model's mean; NaN stays."""
    there = np.isfinite(score)
    left = np.where(there, score, 0.0)
    for _ in range(1 if there.all() else _SWEEPS):
        left = _centred(_centred(left, there, axis=1), there, axis=0)
    return np.where(there, left, np.nan)


def _centred(left: Floats, there: Mask, axis: int) -> Floats:
    mean = left.sum(axis=axis, keepdims=True) / np.maximum(there.sum(axis=axis, keepdims=True), 1)
    return np.asarray(np.where(there, left - mean, 0.0))


def model_distances(left: Floats) -> Floats:
    """Root mean square difference of every two models [M, M] over the prompts that both have."""
    there = np.isfinite(left).astype(np.float64)
    value = np.where(there > 0, left, 0.0)
    shared = there.T @ there
    crossed = (value**2).T @ there
    squared = np.clip(crossed + crossed.T - 2 * value.T @ value, 0.0, None) / np.maximum(shared, 1)
    known = (shared > 0) & ~np.eye(len(squared), dtype=bool)
    squared[shared == 0] = squared[known].mean() if known.any() else 0.0
    np.fill_diagonal(squared, 0.0)
    return np.asarray(np.sqrt(squared), dtype=np.float64)


def scale_down(distances: Floats) -> tuple[Floats, float]:
    """Classical multidimensional scaling into the plane, and the share of the squared distances that it keeps.

    Each axis points to where its largest coordinate (by size) is positive, so that equal distances make equal maps.
    """
    size = len(distances)
    centre = np.eye(size) - 1 / size
    value, vector = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    value, vector = np.clip(value[::-1], 0.0, None), vector[:, ::-1]
    places = np.zeros((size, 2))
    flat = min(2, size)
    places[:, :flat] = vector[:, :flat] * np.sqrt(value[:flat])
    furthest = places[np.abs(np.round(places, 9)).argmax(axis=0), [0, 1]]
    total = float(value.sum())
    return places * np.where(furthest < 0, -1.0, 1.0), float(value[:2].sum()) / total if total > 0 else 1.0


# ---- the file


def save_atlas(atlas: Atlas, folder: Path) -> None:
    """Write `atlas.json` into the folder, whole or not at all."""
    clusters = [{"words": list(cluster.words), "prompts": cluster.prompts} for cluster in atlas.clusters]
    numbers = {name: _plain(getattr(atlas, name)) for name in _SHAPES}
    raw = {"models": list(atlas.models), "clusters": clusters, **numbers, "kept": round(atlas.kept, 4)}
    write_aside(folder / ATLAS_FILE, document(raw))


def load_atlas(folder: Path) -> Atlas | None:
    """What `save_atlas` wrote; None where there is no file.

    Raises:
        InputError: the file holds something else.
    """
    path = folder / ATLAS_FILE
    if not path.is_file():
        return None
    try:
        return _atlas_of(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("this is no atlas", place=str(path), remedy="delete it and run the bench again") from None


_SHAPES = {"model_means": "M", "score": "MC", "count": "MC", "places": "M2"}


def _plain(values: Floats | Ints) -> list[Any]:
    """Nested lists; four decimals are more than any picture shows, NaN is null."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [None if math.isnan(value) else round(value, 4) for value in values.tolist()]


def _atlas_of(raw: Mapping[str, Any]) -> Atlas:
    """An atlas from plain values; ValueError, KeyError or TypeError if they are none."""
    models = tuple(_word(model) for model in raw["models"])
    clusters = tuple(
        Cluster(tuple(_word(word) for word in one["words"]), int(one["prompts"])) for one in raw["clusters"]
    )
    size = {"M": len(models), "C": len(clusters), "2": 2}
    arrays = {
        name: np.array(raw[name], dtype=np.float64).reshape([size[axis] for axis in shape])
        for name, shape in _SHAPES.items()
    }
    if not models or not clusters or not np.isfinite(arrays["places"]).all():
        raise ValueError
    count = arrays.pop("count").astype(np.int64)
    return Atlas(models, clusters, **arrays, count=count, kept=float(raw["kept"]))


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
