"""The index: exact against hand and oracle, approximate against exact by its ranking, both against a dict."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from pointsman.errors import InputError
from pointsman.estimate.index import HnswIndex, HnswSettings, Index, IndexKind, build_index, load_index, make_index
from pointsman.records import Ints, Vectors

KINDS: tuple[IndexKind, ...] = get_args(IndexKind)
both = pytest.mark.parametrize("kind", KINDS)


def clustered(count: int, dimension: int, seed: int = 0, latent: int = 16, clusters: int = 40) -> Vectors:
    """Unit vectors in clusters on a low-dimensional sheet with some noise, as embeddings of prompts are."""
    rng = np.random.default_rng(seed)
    sheet = rng.standard_normal((latent, dimension))
    centres = rng.standard_normal((clusters, latent))
    inner = centres[rng.integers(0, clusters, count)] + 0.7 * rng.standard_normal((count, latent))
    vectors = inner @ sheet / np.sqrt(latent) + 0.3 * rng.standard_normal((count, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def drawn(count: int, asked: int, dimension: int) -> tuple[Vectors, Vectors]:
    """Stored vectors and queries of one make."""
    both_kinds = clustered(count + asked, dimension)
    return both_kinds[:count], both_kinds[count:]


def recall(found: Ints, wanted: Ints) -> float:
    """Share of the wanted ids that were found, row by row."""
    hits = [len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), wanted.tolist(), strict=True)]
    return float(np.mean(hits))


def alike_recall(similarities: Vectors, wanted: Vectors) -> float:
    """Recall where ids are exchangeable: share of places as alike as the exact answer's, to 16-bit precision."""
    return float(np.mean(similarities >= wanted - 2e-3))


def same_answers(one: Index, other: Index, queries: Vectors) -> bool:
    """Whether two indexes give the same eight ids and similarities, to the last bit."""
    (ids, alike), (other_ids, other_alike) = one.search(queries, 8), other.search(queries, 8)
    return np.array_equal(ids, other_ids) and np.array_equal(alike, other_alike)


# --- by hand


@both
def test_three_vectors_by_hand(kind: IndexKind) -> None:
    """Of east, north and north-east, a query a little north of east finds east, north-east, north."""
    index = build_index(kind, np.array([[1, 0], [0, 2], [3, 3]], np.float32), ids=[10, 20, 30])
    ids, alike = index.search(np.array([[4.0, 3.0]]), 3)
    assert ids.tolist() == [[30, 10, 20]]
    assert alike[0] == pytest.approx([7 / (5 * np.sqrt(2)), 0.8, 0.6], abs=1e-3)


@both
def test_answers_are_padded_where_fewer_are_stored(kind: IndexKind) -> None:
    """With one vector stored, the second and third places hold -1 and minus infinity; with none, all do."""
    index = make_index(kind, 2)
    ids, alike = index.search([[1.0, 0.0], [0.0, 1.0]], 3)
    assert (ids == -1).all()
    assert np.isneginf(alike).all()
    index.add([7], [[1.0, 0.0]])
    for queries in ([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]):
        ids, alike = index.search(queries, 3)
        assert ids.tolist() == [[7, -1, -1]] * len(queries)
        assert np.isneginf(alike[:, 1:]).all()
    assert index.search(np.empty((0, 2)), 3)[0].shape == (0, 3)


@both
def test_the_zero_vector_is_equally_far_from_everything(kind: IndexKind) -> None:
    """A text without an embedding can be stored and searched: similarity 0, never NaN."""
    index = build_index(kind, np.array([[0, 0], [1, 0], [-1, 0]], np.float32))
    ids, alike = index.search([[1.0, 0.0], [0.0, 0.0]], 3)
    assert ids[0].tolist() == [1, 0, 2]
    assert alike[0] == pytest.approx([1, 0, -1])
    assert alike[1] == pytest.approx([0, 0, 0])


# --- exact


def test_exact_agrees_with_scikit_learn_over_many_blocks() -> None:
    """More rows and more queries than one block holds: the same neighbours as scikit-learn's brute force."""
    vectors, queries = drawn(9000, 300, 12)
    ids, alike = build_index("exact", vectors).search(queries, 7)
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(vectors.astype(np.float64))
    distance, wanted = oracle.kneighbors(queries.astype(np.float64))
    assert np.abs(alike - (1 - distance)).max() < 1e-6
    assert np.mean(ids == wanted) > 0.999  # the oracle rounds otherwise where two are a hair apart


def test_exact_breaks_ties_by_id() -> None:
    """Equal vectors come in the order of their ids, in whatever order they were added."""
    ids = np.random.default_rng(0).permutation(6000)
    index = build_index("exact", np.tile(np.array([[0.6, 0.8]], np.float32), (6000, 1)), ids=ids)
    assert index.search([[0.3, 0.9]], 9)[0].tolist() == [list(range(9))]


def test_exact_gives_one_query_the_same_answer_alone_and_in_a_batch() -> None:
    """A decision doesn't hang on what else was asked: ids and similarities agree to the last bit."""
    vectors, queries = drawn(5000, 300, 48)
    index = build_index("exact", vectors)
    ids, alike = index.search(queries, 10)
    for row in range(0, 300, 17):
        one_ids, one = index.search(queries[row : row + 1], 10)
        assert np.array_equal(one_ids[0], ids[row])
        assert np.array_equal(one[0], alike[row])


# --- approximate


def test_hnsw_ranks_as_exact_does() -> None:
    """At the paper's settings: recall@10 above 0.99, and 19 in 20 places hold the very same id."""
    vectors, queries = drawn(4000, 200, 64)
    wanted, exact = build_index("exact", vectors).search(queries, 10)
    found, alike = build_index("hnsw", vectors).search(queries, 10)
    assert recall(found, wanted) > 0.99
    assert np.mean(found == wanted) > 0.95
    assert np.abs(alike - exact)[found == wanted].max() < 1e-3


def test_hnsw_keeps_its_ranking_through_removal_and_addition() -> None:
    """Half removed and replaced by others: nothing removed comes back, and the ranking still follows the exact."""
    vectors, queries = drawn(6000, 200, 48)
    hnsw, exact = build_index("hnsw", vectors[:4000]), build_index("exact", vectors[:4000])
    gone = np.random.default_rng(0).choice(4000, 2000, replace=False)
    for index in (hnsw, exact):
        index.remove(gone)
    found, wanted = hnsw.search(queries, 10)[0], exact.search(queries, 10)[0]
    assert not np.isin(found, gone).any()
    assert recall(found, wanted) > 0.98
    for index in (hnsw, exact):
        index.add(np.arange(4000, 6000), vectors[4000:])
    found, wanted = hnsw.search(queries, 10)[0], exact.search(queries, 10)[0]
    assert not np.isin(found, gone).any()
    assert recall(found, wanted) > 0.98
    assert np.mean(found == wanted) > 0.9


@pytest.mark.parametrize("copies", [2, 10, 100])
def test_hnsw_stands_repeated_vectors(copies: int) -> None:
    """Repeated prompts don't break the graph: as alike as the exact answer, and equal ones in the order of ids."""
    base, queries = drawn(3000 // copies, 100, 32)
    vectors = np.repeat(base, copies, axis=0)[np.random.default_rng(0).permutation(len(base) * copies)]
    wanted, exact = build_index("exact", vectors).search(queries, 10)
    found, alike = build_index("hnsw", vectors).search(queries, 10)
    assert alike_recall(alike, exact) > 0.99
    assert np.mean(found == wanted) > 0.95


def test_hnsw_is_the_same_each_time(tmp_path: Path) -> None:
    """The same calls give the same file, byte for byte."""
    files = []
    for name in ("one", "two"):
        index = build_index("hnsw", clustered(500, 16))
        index.remove(np.arange(0, 500, 3))
        index.add(np.arange(500, 600), clustered(100, 16, seed=2))
        index.save(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_hnsw_settings_are_in_force_and_are_kept(tmp_path: Path) -> None:
    """A graph with few links, looked at narrowly, recalls less; the settings survive saving."""
    vectors, queries = drawn(3000, 200, 64)
    wanted = build_index("exact", vectors).search(queries, 10)[0]
    poor = HnswSettings(connectivity=3, ef_construction=8, ef_search=10)
    index = build_index("hnsw", vectors, settings=poor)
    found = index.search(queries, 10)[0]
    assert recall(found, wanted) < 0.8
    index.save(tmp_path / "index")
    again = load_index(tmp_path / "index")
    assert isinstance(again, HnswIndex)
    assert again.settings == poor
    assert np.array_equal(again.search(queries, 10)[0], found)


# --- both, against a plain dict


points = st.sampled_from([(x, y, z) for x in (-1, 0, 2) for y in (0, 1) for z in (-2, 0, 1)])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.dictionaries(st.integers(0, 30), points, min_size=1, max_size=6)),
        st.tuples(st.just("remove"), st.sets(st.integers(0, 30), min_size=1, max_size=6)),
    ),
    max_size=12,
)


def brute(stored: dict[int, tuple[int, ...]], query: NDArray[np.float64]) -> dict[int, float]:
    """Cosine similarity of every stored id, in float64; zero where a vector is zero."""
    out = {}
    for number, point in stored.items():
        size = float(np.linalg.norm(point) * np.linalg.norm(query))
        out[number] = float(np.dot(point, query) / size) if size else 0.0
    return out


@both
@settings(max_examples=60, deadline=None)
@given(steps=steps, query=points, k=st.integers(1, 12), reload=st.booleans())
def test_any_history_of_adds_and_removals_answers_as_a_dict_would(
    kind: IndexKind,
    steps: list[tuple[str, dict[int, tuple[int, ...]] | set[int]]],
    query: tuple[int, ...],
    k: int,
    reload: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """After any adds and removals, with or without saving between, ids and similarities are a dict's."""
    index, stored = make_index(kind, 3), dict[int, tuple[int, ...]]()
    path = tmp_path_factory.mktemp("index") / "index"
    for _, change in steps:
        if isinstance(change, dict):
            fresh = {number: point for number, point in change.items() if number not in stored}
            index.add(list(fresh), np.array(list(fresh.values()), np.float64).reshape(-1, 3))
            stored |= fresh
        else:
            old = [number for number in change if number in stored]
            index.remove(old)
            for number in old:
                del stored[number]
        if reload:
            index.save(path)
            index = load_index(path)
    assert len(index) == len(stored)
    ids, alike = index.search([query], k)
    known = brute(stored, np.array(query, float))
    wanted = sorted(known.values(), reverse=True)[:k]
    hits = ids[0][: len(wanted)].tolist()
    assert len(set(hits)) == len(hits)
    assert alike[0][: len(wanted)] == pytest.approx(wanted, abs=2e-3)
    assert [known[number] for number in hits] == pytest.approx(wanted, abs=2e-3)
    assert (ids[0][len(wanted) :] == -1).all()


# --- files


@both
@pytest.mark.parametrize("mmap", [True, False])
def test_a_saved_index_answers_as_before_and_can_be_changed(kind: IndexKind, mmap: bool, tmp_path: Path) -> None:
    """Loaded, mapped or not, it gives the same answers; changing it leaves the file alone."""
    vectors, queries = drawn(600, 40, 16)
    vectors[300:330] = vectors[5]
    index, path = build_index(kind, vectors, ids=np.arange(600) * 3), tmp_path / "sub" / "index"
    index.save(path)
    before = path.read_bytes()
    again = load_index(path, mmap=mmap)
    assert len(again) == 600
    assert same_answers(index, again, queries)
    for each in (index, again):
        each.remove(np.array([15, 900, 1797]))
        each.add([1, 15], clustered(2, 16, seed=3))
    assert same_answers(index, again, queries)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@both
def test_saving_over_a_mapped_file_does_not_disturb_who_reads_it(kind: IndexKind, tmp_path: Path) -> None:
    """A new snapshot may be saved under the old name while another process still has the old one mapped."""
    vectors = clustered(500, 16)
    build_index(kind, vectors).save(tmp_path / "index")
    old = load_index(tmp_path / "index")
    build_index(kind, clustered(50, 16, seed=5)).save(tmp_path / "index")
    assert old.search(vectors[:20], 1)[0][:, 0].tolist() == list(range(20))
    old.add([900], vectors[:1] * -1)
    assert old.search(-vectors[:1], 1)[0].tolist() == [[900]]
    assert len(load_index(tmp_path / "index")) == 50


@both
def test_a_file_cut_short_is_refused(kind: IndexKind, tmp_path: Path) -> None:
    """A file that was not copied to its end, or is something else, is named in one error and never read."""
    path = tmp_path / "index"
    build_index(kind, clustered(100, 16)).save(path)
    whole = path.read_bytes()
    for broken in (whole[:-1], whole[: len(whole) // 2], b"", b"x" * 5000):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="not an index file, or cut short"):
            load_index(path)
    with pytest.raises(InputError, match="can't be read"):
        load_index(tmp_path / "nothing")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Each class loads its own kind and says what to use for the other."""
    build_index("exact", clustered(10, 4)).save(tmp_path / "exact")
    with pytest.raises(InputError, match="not an HNSW index"):
        HnswIndex.load(tmp_path / "exact")


@both
def test_a_folder_that_cannot_be_written_is_named(kind: IndexKind, tmp_path: Path) -> None:
    """Saving where a file stands in the place of the folder is one clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"):
        make_index(kind, 2).save(tmp_path / "file" / "index")


# --- processes


@both
def test_an_index_serves_before_and_after_a_fork(kind: IndexKind) -> None:
    """A worker forked from a process that has searched gets the same answers, and doesn't hang."""
    vectors, queries = drawn(1000, 64, 16)
    index = build_index(kind, vectors)
    wanted = index.search(queries, 5)[0]
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's life isn't recorded
        os._exit(0 if np.array_equal(index.search(queries, 5)[0], wanted) else 3)
    assert os.waitpid(child, 0)[1] == 0


@both
def test_many_threads_may_search_at_once(kind: IndexKind) -> None:
    """Four threads searching one index all get the answers that one alone gets."""
    vectors, queries = drawn(2000, 100, 32)
    index = build_index(kind, vectors)
    wanted = index.search(queries, 8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: index.search(queries, 8), range(40)))
    assert all(np.array_equal(ids, wanted[0]) and np.array_equal(alike, wanted[1]) for ids, alike in found)


# --- bad input


@both
@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        ([1], [[1.0, 2.0, 3.0]], "dimension 3, the index has 2"),
        ([1], [1.0, 2.0], "shape"),
        ([1], [["a", "b"]], "type"),
        ([1, 2], [[1.0, 2.0], [np.nan, 0.0]], "row 1"),
        ([1], [[np.inf, 0.0]], "NaN or infinity"),
        ([1, 2], [[1.0, 2.0]], "2 ids for 1 vectors"),
        ([1, 1], [[1.0, 2.0], [2.0, 1.0]], "id 1 is given twice"),
        ([-1], [[1.0, 2.0]], "below zero"),
        ([1.5], [[1.0, 2.0]], "whole numbers"),
        ([5], [[1.0, 2.0]], "id 5 is in the index already"),
        ([8], [[1.0, 2.0]], "id 8 is in the index already"),
    ],
)
def test_what_cannot_be_added_is_refused_whole(
    kind: IndexKind, ids: list[int], vectors: list[list[float]], message: str
) -> None:
    """Every unusable row or id is one error that names it, and nothing of the call is kept."""
    index = build_index(kind, np.array([[1, 0], [0, 1], [1, 0]], np.float32), ids=[5, 6, 8])
    with pytest.raises(InputError, match=message):
        index.add(ids, vectors)
    assert len(index) == 3


@both
def test_what_cannot_be_removed_is_refused_whole(kind: IndexKind) -> None:
    """An unknown id is named, and the known ones beside it stay."""
    index = build_index(kind, np.eye(3, dtype=np.float32))
    with pytest.raises(InputError, match="id 9 is not in the index"):
        index.remove([0, 9])
    with pytest.raises(InputError, match="id 1 is given twice"):
        index.remove([1, 1])
    assert len(index) == 3
    index.remove([])
    index.remove([0, 1, 2])
    assert len(index) == 0


@both
def test_what_cannot_be_searched_is_refused(kind: IndexKind) -> None:
    """A k below one, another dimension and NaN are errors, not empty answers."""
    index = build_index(kind, np.eye(3, dtype=np.float32))
    with pytest.raises(InputError, match="k is 0"):
        index.search(np.eye(3), 0)
    with pytest.raises(InputError, match="dimension 2"):
        index.search(np.eye(2), 1)
    with pytest.raises(InputError, match="row 0"):
        index.search([[np.nan, 1, 1]], 1)


def test_what_cannot_be_made_is_refused() -> None:
    """An unknown kind, a dimension of zero, settings out of range or without a graph."""
    with pytest.raises(InputError, match="no kind of index"):
        make_index("tree", 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="dimension is 0"):
        make_index("exact", 0)
    with pytest.raises(InputError, match="no settings"):
        make_index("exact", 3, HnswSettings())
    with pytest.raises(InputError, match="connectivity is 1"):
        HnswSettings(connectivity=1)
    with pytest.raises(InputError, match="one row a vector"):
        build_index("exact", np.ones(3, np.float32))


def test_both_kinds_fulfil_the_protocol() -> None:
    """The type checker's word, and that the dimension is told."""
    made: list[Index] = [make_index(kind, 5) for kind in KINDS]
    assert [index.dimension for index in made] == [5, 5]
