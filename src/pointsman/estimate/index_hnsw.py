"""The approximate index: a graph of near neighbours (HNSW), by the library usearch; why it: decisions/0001-index.

Takes and gives what the exact index does, sooner when there are many vectors. Two things are ours:

- Equal vectors share one place in the graph. A graph of neighbours falls apart where many points coincide (recall
  drops below 0.8 with one text in every second row, in every library measured), and live traffic repeats itself.
- Vectors are stored as 16-bit floats, so similarities are right to about three digits.

One thread builds, in the order of `add`: the same calls give the same graph. It refuses what `index_rules` refuses.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from usearch.index import Index as Graph

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

KIND = "hnsw"
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class HnswSettings:
    """How the graph is built and searched; the defaults are those of the PORT paper.

    Attributes:
        connectivity: M, links a vector has; 2 or more.
        ef_construction: candidates looked at to place a vector; 1 or more.
        ef_search: candidates looked at for a query; 1 or more, k where that is larger.
    """

    connectivity: int = 32
    ef_construction: int = 200
    ef_search: int = 50

    def __post_init__(self) -> None:
        for name, least in (("connectivity", 2), ("ef_construction", 1), ("ef_search", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}", place="index", remedy=f"give {least} or more")


class HnswIndex:
    """Vectors in a graph of neighbours. See `index.Index`.

    Args:
        dimension: D.
        settings: of the graph.
    """

    def __init__(self, dimension: int, settings: HnswSettings | None = None) -> None:
        self.dimension = checked_dimension(dimension)
        self.settings = settings or HnswSettings()
        self._graph = self._empty_graph()
        # a graph key is the first id that had the vector; ids that came later with an equal one follow it
        self._leader_of: dict[int, int] = {}
        self._followers: dict[int, list[int]] = {}
        self._leader_with: dict[bytes, int] | None = {}
        self._mapped = False

    def __len__(self) -> int:
        return len(self._graph) + len(self._leader_of)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Store `vectors` [N, D] under `ids` [N]; all or none."""
        halves = checked_vectors(vectors, self.dimension).astype(np.float16)
        numbers = checked_ids(ids, len(halves))
        for number, here in zip(numbers.tolist(), self._stored(numbers), strict=True):
            if here:
                raise duplicate_id(number)
        self._own()
        known = self._known()
        fresh = [row for row, mark in enumerate(_marks(halves)) if self._is_new(known, mark, int(numbers[row]))]
        if fresh:
            self._graph.add(numbers[fresh].astype(np.uint64), halves[fresh], threads=1)

    def _is_new(self, known: dict[bytes, int], mark: bytes, number: int) -> bool:
        """Whether the vector needs a place in the graph; if not, `number` follows the id that has one."""
        leader = known.setdefault(mark, number)
        if leader == number:
            return True
        self._leader_of[number] = leader
        self._followers.setdefault(leader, []).append(number)
        return False

    def remove(self, ids: ArrayLike) -> None:
        """Forget `ids` [N]; all or none. Their places in the graph are used again by the next `add`."""
        numbers = checked_ids(ids)
        for number, here in zip(numbers.tolist(), self._stored(numbers), strict=True):
            if not here:
                raise unknown_id(number)
        self._own()
        known = self._known()
        for number in numbers.tolist():
            self._forget(known, number)

    def _forget(self, known: dict[bytes, int], number: int) -> None:
        leader = self._leader_of.pop(number, None)
        if leader is not None:
            _drop(self._followers, leader, number)
            return
        mark = _marks(self._halves(np.array([number])))[0]
        heirs = self._followers.pop(number, [])
        if not heirs:
            self._graph.remove(number, threads=1)
            del known[mark]
            return
        first, *rest = heirs
        self._graph.rename(number, first)
        known[mark] = first
        del self._leader_of[first]
        self._leader_of.update(dict.fromkeys(rest, first))
        if rest:
            self._followers[first] = rest

    def search(self, vectors: ArrayLike, k: int) -> tuple[Ints, Vectors]:
        """The k nearest as far as the graph finds them, see `index.Index.search`."""
        queries = checked_vectors(vectors, self.dimension).astype(np.float16)
        ids = np.full((len(queries), checked_k(k)), -1, dtype=np.int64)
        similarities = np.full(ids.shape, -np.inf, dtype=np.float32)
        width = min(k, len(self._graph))
        if width and len(queries):
            self._ask(queries, ids[:, :width], similarities[:, :width])
            self._spread(ids, similarities)
        return ids, similarities

    def _ask(self, queries: Halves, ids: Ints, similarities: Vectors) -> None:
        """Write the graph's answers into `ids` and `similarities` [Q, width]."""
        found = self._graph.search(queries, ids.shape[1], threads=1)
        keys, alike = found.keys, np.minimum(np.float32(1.0) - found.distances, np.float32(1.0))
        if keys.ndim == 1:  # for one query usearch gives one row, of the matches alone
            ids[0, : len(keys)], similarities[0, : len(keys)] = keys, alike
        elif found.counts.min() == ids.shape[1]:
            ids[:], similarities[:] = keys, alike
        else:
            filled = np.arange(ids.shape[1]) < found.counts[:, None]
            ids[filled], similarities[filled] = keys[filled], alike[filled]

    def _spread(self, ids: Ints, similarities: Vectors) -> None:
        """Put the followers of every id found beside it, in order of their ids, and cut at k."""
        if not self._followers:
            return
        for row, hits in enumerate(ids.tolist()):
            if not self._followers.keys().isdisjoint(hits):
                self._spread_row(hits, ids[row], similarities[row])

    def _spread_row(self, hits: list[int], ids: Ints, similarities: Vectors) -> None:
        members: list[int] = []
        places: list[int] = []
        for place, leader in enumerate(hits):
            group = sorted([leader, *self._followers.get(leader, ())])
            members += group
            places += [place] * len(group)
            if len(members) >= len(ids):
                break
        ids[:] = members[: len(ids)]
        similarities[:] = similarities[places[: len(ids)]]

    def save(self, path: Path) -> None:
        """Write the index to one file, see `index.Index.save`."""
        notes = {"kind": KIND, "dimension": self.dimension, "settings": asdict(self.settings)}
        pairs = np.array(sorted(self._leader_of.items()), dtype=np.int64).reshape(-1, 2)
        write_index_file(path, notes, {"followers": pairs}, self._graph.save)

    @classmethod
    def load(cls, path: Path, *, mmap: bool = True) -> HnswIndex:
        """An index that was saved, see `index.load_index`."""
        return cls.from_file(read_index_file(path, mmap=mmap), mmap=mmap)

    @classmethod
    def from_file(cls, file: IndexFile, *, mmap: bool = True) -> HnswIndex:
        """The same from a file that was read already.

        Raises:
            InputError: the file holds another kind of index, or a graph that usearch can't read.
        """
        if file.notes.get("kind") != KIND:
            raise InputError("not an HNSW index", place=str(file.path), remedy="load it with load_index()")
        index = cls(int(file.notes["dimension"]), HnswSettings(**file.notes["settings"]))
        try:
            (index._graph.view if mmap else index._graph.load)(file.path)
        except RuntimeError as error:
            raise InputError("the graph can't be read", place=str(file.path), remedy="build it again") from error
        index._mapped, index._leader_with = mmap, None
        for follower, leader in file.arrays["followers"].tolist():
            index._leader_of[follower] = leader
            index._followers.setdefault(leader, []).append(follower)
        return index

    def _empty_graph(self) -> Any:
        return Graph(
            ndim=self.dimension,
            metric="ip",
            dtype="f16",
            connectivity=self.settings.connectivity,
            expansion_add=self.settings.ef_construction,
            expansion_search=self.settings.ef_search,
        )

    def _own(self) -> None:
        """Take a mapped graph into memory: usearch crashes when a mapped one is changed."""
        if self._mapped:
            self._graph, self._mapped = self._graph.copy(), False

    def _stored(self, numbers: Ints) -> list[bool]:
        if not len(numbers):
            return []
        leads = self._graph.contains(numbers.astype(np.uint64))
        return [bool(lead) or number in self._leader_of for lead, number in zip(leads, numbers.tolist(), strict=True)]

    def _known(self) -> dict[bytes, int]:
        """Leader by vector; made when first needed, since a loaded index is mostly only searched."""
        if self._leader_with is None:
            leaders = np.array(self._graph.keys[:], dtype=np.int64)
            self._leader_with = dict(zip(_marks(self._halves(leaders)), leaders.tolist(), strict=True))
        return self._leader_with

    def _halves(self, numbers: Ints) -> Halves:
        """The stored vectors of ids that lead, float16 [N, D]."""
        if not len(numbers):
            return np.empty((0, self.dimension), dtype=np.float16)
        return np.vstack(self._graph.get(numbers.astype(np.uint64), dtype="f16"))


def _marks(halves: Halves) -> list[bytes]:
    """Sixteen bytes a row that stand for its contents."""
    positive = halves + np.float16(0)  # makes minus zero zero
    return [hashlib.blake2b(row, digest_size=16).digest() for row in positive]


def _drop(followers: dict[int, list[int]], leader: int, number: int) -> None:
    followers[leader].remove(number)
    if not followers[leader]:
        del followers[leader]
