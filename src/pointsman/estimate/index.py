"""The index: which stored vectors are nearest to a query's. It knows vectors and whole numbers, never items.

Two kinds behind one protocol, told apart by name:

| kind | what it is | when |
|---|---|---|
| `exact` | compares with every vector | up to some ten thousand vectors, and always in batches; the yardstick |
| `hnsw` | a graph of near neighbours, approximate | one query at a time from a few thousand vectors on; large sets |

Figures: docs/decisions/0001-index.md, benchmarks/index.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike

from pointsman.errors import InputError
from pointsman.estimate.index_exact import ExactIndex
from pointsman.estimate.index_file import read_index_file
from pointsman.estimate.index_hnsw import HnswIndex, HnswSettings
from pointsman.records import Ints, Vectors

__all__ = ["ExactIndex", "HnswIndex", "HnswSettings", "Index", "IndexKind", "build_index", "load_index", "make_index"]

IndexKind = Literal["exact", "hnsw"]


class Index(Protocol):
    """Vectors of one dimension D, each under an id of the caller's choice.

    A vector is stored at unit length; the zero vector is allowed and equally far (0) from everything.

    Attributes:
        dimension: D.
    """

    dimension: int

    def __len__(self) -> int:
        """How many ids are stored."""
        ...

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Store `vectors` float [N, D] under `ids` int [N], all or none.

        Raises:
            InputError: another dimension, NaN, an id below zero, given twice or stored already.
        """
        ...

    def remove(self, ids: ArrayLike) -> None:
        """Forget `ids` int [N], all or none.

        Raises:
            InputError: an id that is not stored, or given twice.
        """
        ...

    def search(self, vectors: ArrayLike, k: int) -> tuple[Ints, Vectors]:
        """The k nearest stored vectors of every query.

        Args:
            vectors: float [Q, D].
            k: how many, at least 1.

        Returns:
            ids int [Q, k] and cosine similarities float32 [Q, k], best first, equal ones by id; where fewer than k
            are stored (or, approximately, found), the rest is -1 and -inf.

        Raises:
            InputError: another dimension, NaN, or k below 1.
        """
        ...

    def save(self, path: Path) -> None:
        """Write everything to one file, aside first and renamed when complete; `load_index` reads it.

        Raises:
            InputError: the folder can't be written.
        """
        ...


def make_index(kind: IndexKind, dimension: int, settings: HnswSettings | None = None) -> Index:
    """An empty index.

    Args:
        kind: "exact" or "hnsw".
        dimension: D of the vectors to come.
        settings: of the graph; the exact index has none.

    Raises:
        InputError: an unknown kind, a dimension below one, settings for the exact index.
    """
    if kind == "hnsw":
        return HnswIndex(dimension, settings)
    if kind != "exact":
        raise _unknown_kind(kind, "index")
    if settings is not None:
        raise InputError("the exact index has no settings", place="index", remedy="leave them out, or use 'hnsw'")
    return ExactIndex(dimension)


def build_index(
    kind: IndexKind, vectors: Vectors, *, ids: ArrayLike | None = None, settings: HnswSettings | None = None
) -> Index:
    """An index of `vectors` float [N, D] under `ids`, 0 to N-1 if none are given.

    Raises:
        InputError: as `make_index` and `Index.add`.
    """
    if vectors.ndim != 2:
        raise InputError(f"vectors of shape {vectors.shape}", place="index", remedy="give one row a vector")
    index = make_index(kind, vectors.shape[1], settings)
    index.add(np.arange(len(vectors)) if ids is None else ids, vectors)
    return index


def load_index(path: Path, *, mmap: bool = True) -> Index:
    """An index that was saved, of whichever kind.

    Args:
        path: written by `Index.save`.
        mmap: leave the vectors on disk, shared between processes, and read them when needed; an index that is
            then changed is taken into memory first. Else read all of it now.

    Raises:
        InputError: no such file, not an index file, one cut short, or of an unknown kind.
    """
    file = read_index_file(path, mmap=mmap)
    kind = file.notes.get("kind")
    if kind == "exact":
        return ExactIndex.from_file(file)
    if kind == "hnsw":
        return HnswIndex.from_file(file, mmap=mmap)
    raise _unknown_kind(kind, str(path))


def _unknown_kind(kind: object, place: str) -> InputError:
    return InputError(f"{kind!r} is no kind of index", place=place, remedy=f"use {' or '.join(get_args(IndexKind))}")
