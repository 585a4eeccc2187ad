"""Indexes side by side: ours, and the libraries that could stand behind the approximate one.

    python benchmarks/index.py [--sizes 8000x256,36000x384] [--only NAME,NAME] [--json FILE]

Simulated vectors, clustered on a low-dimensional sheet with noise, made from a seed; queries of the same make. Every
candidate is measured in a process of its own with one thread, at the PORT paper's settings (M 32, ef_construction
200, ef 50), so that memory is its own. A library that is not installed is left out and said so.

Columns: seconds to build; recall@10 and share of the ten places that hold the same id as the exact answer, as built,
then recall with a tenth of the rows repeating one vector, then recall after half the rows were removed and as many
others added (a library without removal shows a dash); microseconds a query alone and in batches of 256, medians;
the same divided by the exact index's; megabytes of memory beyond the vectors it was given (Linux with glibc).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.estimate.index import build_index
from pointsman.records import Ints, Vectors

K, QUERIES, BATCH = 10, 1024, 256
LINKS, EF_BUILD, EF = 32, 200, 50


class Candidate(Protocol):
    def build(self, vectors: Vectors) -> None: ...
    def search(self, queries: Vectors, k: int) -> Ints: ...
    def replace(self, gone: Ints, ids: Ints, vectors: Vectors) -> None: ...


class Ours:
    """`pointsman.estimate.index`, of either kind."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def build(self, vectors: Vectors) -> None:
        self._index = build_index(self._kind, vectors)

    def search(self, queries: Vectors, k: int) -> Ints:
        return self._index.search(queries, k)[0]

    def replace(self, gone: Ints, ids: Ints, vectors: Vectors) -> None:
        self._index.remove(gone)
        self._index.add(ids, vectors)


class Usearch:
    def __init__(self, kind: str) -> None:
        self._library, self._kind = import_module("usearch.index"), kind

    def build(self, vectors: Vectors) -> None:
        self._index = self._library.Index(
            ndim=vectors.shape[1],
            metric="ip",
            dtype=self._kind,
            connectivity=LINKS,
            expansion_add=EF_BUILD,
            expansion_search=EF,
        )
        self._index.add(np.arange(len(vectors)), vectors, threads=1)

    def search(self, queries: Vectors, k: int) -> Ints:
        return np.atleast_2d(self._index.search(queries, k, threads=1).keys).astype(np.int64)

    def replace(self, gone: Ints, ids: Ints, vectors: Vectors) -> None:
        self._index.remove(gone.astype(np.uint64), threads=1)
        self._index.add(ids, vectors, threads=1)


class Hnswlib:
    """PORT's own library; a removed vector is marked and its place used again."""

    def __init__(self) -> None:
        self._library = import_module("hnswlib")

    def build(self, vectors: Vectors) -> None:
        self._index = self._library.Index("ip", vectors.shape[1])
        self._index.init_index(
            len(vectors), M=LINKS, ef_construction=EF_BUILD, random_seed=0, allow_replace_deleted=True
        )
        self._index.set_ef(EF)
        self._index.add_items(vectors, num_threads=1)

    def search(self, queries: Vectors, k: int) -> Ints:
        return np.asarray(self._index.knn_query(queries, k, num_threads=1)[0]).astype(np.int64)

    def replace(self, gone: Ints, ids: Ints, vectors: Vectors) -> None:
        for number in gone.tolist():
            self._index.mark_deleted(number)
        self._index.add_items(vectors, ids, num_threads=1, replace_deleted=True)


class Faiss:
    """HNSW of faiss; it cannot remove."""

    def __init__(self) -> None:
        self._library = import_module("faiss")

    def build(self, vectors: Vectors) -> None:
        self._library.omp_set_num_threads(1)
        self._index = self._library.IndexHNSWFlat(vectors.shape[1], LINKS, self._library.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction, self._index.hnsw.efSearch = EF_BUILD, EF
        self._index.add(vectors)

    def search(self, queries: Vectors, k: int) -> Ints:
        return np.asarray(self._index.search(queries, k)[1])

    def replace(self, gone: Ints, ids: Ints, vectors: Vectors) -> None:
        raise NotImplementedError


CANDIDATES: dict[str, tuple[Callable[[], Candidate], str]] = {
    "exact": (lambda: Ours("exact"), "numpy"),
    "hnsw": (lambda: Ours("hnsw"), "usearch"),
    "usearch-f16": (lambda: Usearch("f16"), "usearch"),
    "usearch-f32": (lambda: Usearch("f32"), "usearch"),
    "hnswlib": (Hnswlib, "hnswlib"),
    "faiss-hnsw": (Faiss, "faiss-cpu"),
}


def clustered(count: int, dimension: int, seed: int = 0, latent: int = 32, clusters: int = 200) -> Vectors:
    """Unit vectors in clusters on a sheet of `latent` dimensions, with noise."""
    rng = np.random.default_rng(seed)
    sheet = rng.standard_normal((latent, dimension)) / np.sqrt(latent)
    centres = rng.standard_normal((clusters, latent))
    inner = centres[rng.integers(0, clusters, count)] + 0.7 * rng.standard_normal((count, latent))
    vectors = (inner @ sheet).astype(np.float32) + 0.3 * rng.standard_normal((count, dimension), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def exact_ids(vectors: Vectors, queries: Vectors, alive: Ints | None = None) -> tuple[Ints, Vectors]:
    """The true ten nearest among the rows `alive` (all if None), and how alike the tenth is."""
    index = build_index("exact", vectors if alive is None else vectors[alive], ids=alive)
    ids, alike = index.search(queries, K)
    return ids, alike[:, -1:]


def recall(found: Ints, tenth: Vectors, vectors: Vectors, queries: Vectors) -> float:
    """Share of the found that are as alike as the true tenth: counts equal vectors as equal."""
    alike = np.einsum("qd,qkd->qk", queries, vectors[np.maximum(found, 0)])
    return float(np.mean((alike >= tenth - 1e-3) & (found >= 0)))


def resident_mb() -> float:
    """Memory held by this process, after giving what is free back to the system."""
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def median_us(act: Callable[[int], object], turns: int, queries: int) -> float:
    """Median microseconds a query of `act(turn)`, after one turn that doesn't count."""
    act(0)
    times = []
    for turn in range(turns):
        started = time.perf_counter()
        act(turn)
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times) / queries


def measure(name: str, count: int, dimension: int) -> dict[str, float | str | None]:
    """Every figure of one candidate at one size; runs in a process of its own."""
    with threadpool_limits(1):
        drawn = clustered(2 * count + QUERIES, dimension)
        vectors, others, queries = drawn[:count], drawn[count : 2 * count], drawn[2 * count :]
        wanted, tenth = exact_ids(vectors, queries)
        candidate = CANDIDATES[name][0]()
        before, started = resident_mb(), time.perf_counter()
        candidate.build(vectors)
        built, memory = time.perf_counter() - started, resident_mb() - before
        found = candidate.search(queries, K)
        alone = median_us(lambda turn: candidate.search(queries[turn : turn + 1], K), 500, 1)
        batch = median_us(lambda turn: candidate.search(queries[turn * BATCH :][:BATCH], K), QUERIES // BATCH, BATCH)
        return {
            "name": name,
            "version": version(CANDIDATES[name][1]),
            "vectors": count,
            "dimension": dimension,
            "build_s": built,
            "recall": recall(found, tenth, vectors, queries),
            "same_place": float(np.mean(found == wanted)),
            "recall_repeated": repeated(name, vectors, queries),
            "recall_replaced": replaced(candidate, vectors, others, queries),
            "alone_us": alone,
            "batch_us": batch,
            "memory_mb": memory,
        }


def repeated(name: str, vectors: Vectors, queries: Vectors) -> float:
    """Recall on 8,000 rows at most, of which a tenth, spread evenly, repeat one vector."""
    some = vectors[:8000].copy()
    some[::10] = queries[0]
    candidate = CANDIDATES[name][0]()
    candidate.build(some)
    return recall(candidate.search(queries, K), exact_ids(some, queries)[1], some, queries)


def replaced(candidate: Candidate, vectors: Vectors, others: Vectors, queries: Vectors) -> float | None:
    """Recall after half the rows were removed and as many others added; None if it can't remove."""
    half = len(vectors) // 2
    gone = np.random.default_rng(1).choice(len(vectors), half, replace=False)
    ids = np.arange(len(vectors), len(vectors) + half)
    try:
        candidate.replace(gone, ids, others[:half])
    except NotImplementedError:
        return None
    everything = np.vstack([vectors, others[:half]])
    alive = np.setdiff1d(np.arange(len(everything)), gone)
    found = candidate.search(queries, K)
    return recall(found, exact_ids(everything, queries, alive)[1], everything, queries)


def run(sizes: Sequence[tuple[int, int]], names: Sequence[str]) -> list[dict[str, Any]]:
    """All rows; says which library is not installed."""
    rows = []
    for count, dimension in sizes:
        for name in names:
            try:
                version(CANDIDATES[name][1])
            except ImportError:
                print(f"{name}: {CANDIDATES[name][1]} is not installed, left out")
                continue
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(measure, (name, count, dimension)))
            print_row(rows[-1], next(row for row in rows if row["vectors"] == count))
    return rows


def print_row(row: dict[str, Any], first: dict[str, Any]) -> None:
    churned = "    -" if row["recall_replaced"] is None else f"{row['recall_replaced']:.3f}"
    print(
        f"{row['name']:12} {row['version']:10} {row['vectors']:>7}x{row['dimension']:<4} build {row['build_s']:6.1f} s"
        f"  recall {row['recall']:.3f}  same place {row['same_place']:.3f}  repeated {row['recall_repeated']:.3f}"
        f"  replaced {churned}  alone {row['alone_us']:6.0f} us (x{row['alone_us'] / first['alone_us']:.2f})"
        f"  batch {row['batch_us']:6.1f} us (x{row['batch_us'] / first['batch_us']:.2f})  {row['memory_mb']:6.0f} MB",
        flush=True,
    )


def parse_sizes(text: str) -> list[tuple[int, int]]:
    return [(int(count), int(dimension)) for count, dimension in (item.split("x") for item in text.split(","))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=parse_sizes, default=[(8000, 256), (36000, 384)], help="rows x dimension, …")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CANDIDATES), help="names, …")
    parser.add_argument("--json", type=Path, help="write the rows there")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes to come
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread")
    rows = run(asked.sizes, asked.only)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
