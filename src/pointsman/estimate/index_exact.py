"""The exact index: every stored vector is compared with every query.

Matrix products in blocks, so that memory stays bounded, and a compiled selection of the best. The best few more
than k are then compared again one by one in a fixed order of operations, so that a query gets the same answer
alone and in a batch (a matrix product rounds differently with its shape), and ties go to the smaller id.
It approximates nothing and refuses what `index_rules` refuses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointsman.errors import InputError
from pointsman.estimate.index_file import IndexFile, read_index_file, write_index_file
from pointsman.estimate.index_rules import (
    checked_dimension,
    checked_ids,
    checked_k,
    checked_vectors,
    duplicate_id,
    unknown_id,
)
from pointsman.records import Ints, Vectors

KIND = "exact"
QUERIES_A_BLOCK = 256
ROWS_A_BLOCK = 4096  # with 256 queries a block of similarities is 4 MB
MORE = 8  # candidates beyond k that are compared again


class ExactIndex:
    """Vectors in one array, found by looking at all of them. See `index.Index`.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = checked_dimension(dimension)
        self._ids: Ints = np.empty(0, dtype=np.int64)
        self._vectors: Vectors = np.empty((0, dimension), dtype=np.float32)
        self._count = 0
        self._row_of: dict[int, int] | None = {}

    def __len__(self) -> int:
        return self._count

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Store `vectors` [N, D] under `ids` [N]; all or none."""
        rows = checked_vectors(vectors, self.dimension)
        numbers = checked_ids(ids, len(rows))
        known = self._known()
        for number in numbers.tolist():
            if number in known:
                raise duplicate_id(number)
        self._reserve(self._count + len(rows))
        self._ids[self._count : self._count + len(rows)] = numbers
        self._vectors[self._count : self._count + len(rows)] = rows
        known.update(zip(numbers.tolist(), range(self._count, self._count + len(rows)), strict=True))
        self._count += len(rows)

    def remove(self, ids: ArrayLike) -> None:
        """Forget `ids` [N]; all or none. The last rows move into the gaps."""
        numbers = checked_ids(ids)
        known = self._known()
        for number in numbers.tolist():
            if number not in known:
                raise unknown_id(number)
        gone = np.array([known.pop(number) for number in numbers.tolist()], dtype=np.int64)
        self._reserve(self._count)
        left = self._count - len(gone)
        movers = np.setdiff1d(np.arange(left, self._count), gone)
        gaps = np.sort(gone[gone < left])
        self._ids[gaps], self._vectors[gaps] = self._ids[movers], self._vectors[movers]
        known.update(zip(self._ids[gaps].tolist(), gaps.tolist(), strict=True))
        self._count = left

    def search(self, vectors: ArrayLike, k: int) -> tuple[Ints, Vectors]:
        """The k nearest, see `index.Index.search`."""
        queries = checked_vectors(vectors, self.dimension)
        ids = np.full((len(queries), checked_k(k)), -1, dtype=np.int64)
        similarities = np.full(ids.shape, -np.inf, dtype=np.float32)
        for at in range(0, len(queries), QUERIES_A_BLOCK):
            part = slice(at, at + QUERIES_A_BLOCK)
            self._search_block(queries[part], ids[part], similarities[part])
        return ids, similarities

    def _search_block(self, queries: Vectors, ids: Ints, similarities: Vectors) -> None:
        width = min(ids.shape[1] + MORE, self._count)
        if width == 0:
            return
        rows = np.full((len(queries), width), -1, dtype=np.int64)
        best = np.full(rows.shape, -np.inf, dtype=np.float32)
        for at in range(0, self._count, ROWS_A_BLOCK):
            end = min(at + ROWS_A_BLOCK, self._count)
            _offer(queries @ self._vectors[at:end].T, self._ids, at, best, rows)
        count = min(ids.shape[1], width)
        ids[:, :count], similarities[:, :count] = _settle(queries, self._vectors, self._ids, rows, count)

    def save(self, path: Path) -> None:
        """Write the index to one file, see `index.Index.save`."""
        arrays: dict[str, NDArray[Any]] = {"ids": self._ids[: self._count], "vectors": self._vectors[: self._count]}
        write_index_file(path, {"kind": KIND, "dimension": self.dimension}, arrays)

    @classmethod
    def load(cls, path: Path, *, mmap: bool = True) -> ExactIndex:
        """An index that was saved, see `index.load_index`."""
        return cls.from_file(read_index_file(path, mmap=mmap))

    @classmethod
    def from_file(cls, file: IndexFile) -> ExactIndex:
        """The same from a file that was read already.

        Raises:
            InputError: the file holds another kind of index.
        """
        if file.notes.get("kind") != KIND:
            raise InputError("not an exact index", place=str(file.path), remedy="load it with load_index()")
        index = cls(int(file.notes["dimension"]))
        index._ids, index._vectors = file.arrays["ids"], file.arrays["vectors"]
        index._count, index._row_of = len(index._ids), None
        return index

    def _known(self) -> dict[int, int]:
        """Row of every id; made when first needed, since a loaded index is mostly only searched."""
        if self._row_of is None:
            self._row_of = {number: row for row, number in enumerate(self._ids[: self._count].tolist())}
        return self._row_of

    def _reserve(self, rows: int) -> None:
        """Make room for `rows` in arrays of our own (those of a mapped file are read-only); doubles when it grows."""
        if rows <= len(self._ids) and self._ids.flags.writeable:
            return
        room = max(rows, 2 * len(self._ids) if rows > len(self._ids) else rows)
        ids, vectors = np.empty(room, dtype=np.int64), np.empty((room, self.dimension), dtype=np.float32)
        ids[: self._count], vectors[: self._count] = self._ids[: self._count], self._vectors[: self._count]
        self._ids, self._vectors = ids, vectors


@numba.njit(cache=True, nogil=True)
def _offer(similarities: Vectors, ids: Ints, start: int, best: Vectors, rows: Ints) -> None:
    """Merge a block of similarities [Q, B] of the rows from `start` on into the best so far, kept in order."""
    last = best.shape[1] - 1
    for q in range(similarities.shape[0]):
        for column in range(similarities.shape[1]):
            found = similarities[q, column]
            if found < best[q, last]:
                continue
            row = start + column
            place = last + 1
            while place > 0 and _before(found, ids[row], best[q, place - 1], rows[q, place - 1], ids):
                place -= 1
            for move in range(last, place, -1):
                best[q, move], rows[q, move] = best[q, move - 1], rows[q, move - 1]
            if place <= last:
                best[q, place], rows[q, place] = found, row


@numba.njit(cache=True, nogil=True)
def _before(found: np.float32, number: int, other: np.float32, other_row: int, ids: Ints) -> np.bool_ | bool:
    """Whether a candidate stands before another: more alike, or as alike with a smaller id; an empty place is last."""
    if other_row < 0:
        return True
    return found > other or (found == other and number < ids[other_row])


@numba.njit(cache=True, nogil=True)
def _settle(queries: Vectors, vectors: Vectors, ids: Ints, rows: Ints, count: int) -> tuple[Ints, Vectors]:
    """Compare the candidates `rows` [Q, C] again, each by itself, and give ids and similarities [Q, count] in order."""
    out_ids = np.empty((rows.shape[0], count), dtype=np.int64)
    out = np.empty((rows.shape[0], count), dtype=np.float32)
    alike = np.empty(rows.shape[1], dtype=np.float32)
    for q in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            row = rows[q, column]
            found = _dot(queries[q], vectors[row])
            place = column
            while place > 0 and _before(found, ids[row], alike[place - 1], rows[q, place - 1], ids):
                alike[place], rows[q, place] = alike[place - 1], rows[q, place - 1]
                place -= 1
            alike[place], rows[q, place] = found, row
        for place in range(count):
            out_ids[q, place] = ids[rows[q, place]]
            out[q, place] = min(np.float32(1.0), max(np.float32(-1.0), alike[place]))
    return out_ids, out


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(one: Vectors, other: Vectors) -> np.float32:
    total = np.float32(0.0)
    for d in range(one.shape[0]):
        total += one[d] * other[d]
    return total
