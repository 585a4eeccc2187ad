"""The embedding cache: what is kept, for whom, and what happens when the file is damaged or shared."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate import embedding_cache
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.embedding_cache import CachedEmbedder, EmbeddingCache, key_of
from pointsman.records import Vectors


class Lengths:
    """Embeds a text as the direction of (its length, its number of vowels); counts what it is asked."""

    name = "lengths"

    def __init__(self, dimension: int = 2) -> None:
        self.asked: list[str] = []
        self._dimension = dimension

    @property
    def dimension(self) -> int:
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            rows[row, :2] = len(text), sum(letter in "aeiou" for letter in text)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


class Unreachable:
    """An embedder whose model is out of reach."""

    name = "lengths"

    @property
    def dimension(self) -> int:
        raise AssertionError("asked for its dimension")

    def embed(self, texts: Sequence[str]) -> Vectors:
        raise AssertionError(f"asked for {len(texts)} texts")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "embeddings.sqlite"


def test_a_text_is_embedded_once(path: Path) -> None:
    """Of three texts, one of them twice, three are embedded; next time, by another object, only a new one is."""
    first = Lengths()
    one = CachedEmbedder(first, path).embed(["tree", "bee", "tree", "lake"])
    assert first.asked == ["tree", "bee", "lake"]
    second = Lengths()
    two = CachedEmbedder(second, path).embed(["lake", "moon", "tree"])
    assert second.asked == ["moon"]
    assert np.array_equal(one[[3, 0]], two[[0, 2]])
    assert one.dtype == two.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.text(max_size=6), max_size=5), max_size=4))
def test_the_cache_never_changes_a_vector(tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]]) -> None:
    """Whatever is asked in whatever order, the answer is the inner embedder's, to the last bit."""
    cached = CachedEmbedder(Lengths(), tmp_path_factory.mktemp("cache") / "file")
    for texts in calls:
        assert np.array_equal(cached.embed(texts), Lengths().embed(texts))


def test_embedders_of_other_names_share_nothing(path: Path) -> None:
    """The name is part of the key, and a name and a text can't run into each other."""
    CachedEmbedder(Lengths(), path).embed(["tree"])
    other = Lengths()
    other.name = "other"
    CachedEmbedder(other, path).embed(["tree"])
    assert other.asked == ["tree"]
    assert key_of("ab", "c") != key_of("a", "bc")


def test_a_warm_cache_needs_no_model(path: Path) -> None:
    """With every text known, the inner embedder is not even asked for its dimension."""
    wanted = CachedEmbedder(Lengths(), path).embed(["tree", "bee"])
    assert np.array_equal(CachedEmbedder(Unreachable(), path).embed(["bee", "tree"]), wanted[::-1])


def test_no_text_is_written(path: Path) -> None:
    """Neither the file nor its journals hold the text, and only the owner may read it."""
    text = "a most uncommon sentence"
    CachedEmbedder(Lengths(), path).embed([text])
    for file in path.parent.iterdir():
        assert text.encode() not in file.read_bytes()
        assert b"uncommon" not in file.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_an_interruption_loses_one_portion(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was embedded before a failure is in the cache afterwards."""
    monkeypatch.setattr(embedding_cache, "EMBEDDED_AT_ONCE", 2)

    class Failing(Lengths):
        def embed(self, texts: Sequence[str]) -> Vectors:
            if "fifth" in texts:
                raise KeyboardInterrupt
            return super().embed(texts)

    texts = ["first", "second", "third", "fourth", "fifth"]
    with pytest.raises(KeyboardInterrupt):
        CachedEmbedder(Failing(), path).embed(texts)
    inner = Lengths()
    CachedEmbedder(inner, path).embed(texts)
    assert inner.asked == ["fifth"]


def test_half_characters_are_texts_too(path: Path) -> None:
    """A lone surrogate, which JSON can carry, has a key of its own."""
    assert CachedEmbedder(Lengths(), path).embed(["\ud800", "\udfff", "?"]).shape == (3, 2)
    assert len(EmbeddingCache(path)) == 3


def test_a_vector_of_another_size_is_embedded_anew(path: Path) -> None:
    """If a model changed its dimension under the same name, old rows don't come back."""
    CachedEmbedder(Lengths(2), path).embed(["tree", "bee"])
    inner = Lengths(5)
    assert CachedEmbedder(inner, path).embed(["tree", "bee", "lake"]).shape == (3, 5)
    assert inner.asked == ["tree", "bee", "lake"]


def damage(path: Path, how: str) -> None:
    """Spoil the file as a bad disk or a stopped copy would."""
    whole = path.read_bytes()
    if how == "header":
        path.write_bytes(b"not a database" + whole[14:])
    elif how == "pages":
        path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    else:
        path.write_bytes(whole[: len(whole) // 2 + 100])


@pytest.mark.parametrize("how", ["header", "pages", "cut"])
def test_a_damaged_file_is_set_aside_and_begun_anew(path: Path, how: str) -> None:
    """One warning, right answers, the old file kept under another name, and the new one in use."""
    texts = [f"text {number}" for number in range(500)]
    CachedEmbedder(Lengths(), path).embed(texts)
    damage(path, how)
    with pytest.warns(UserWarning, match="damaged") as caught:
        assert np.array_equal(CachedEmbedder(Lengths(), path).embed(texts), Lengths().embed(texts))
    assert len(caught) == 1
    assert path.with_name(path.name + ".damaged-1").exists()
    inner = Lengths()
    CachedEmbedder(inner, path).embed(texts)
    assert inner.asked == []


def test_a_sound_file_is_never_set_aside(path: Path) -> None:
    """A process that comes second to a damaged file finds the new one sound and leaves it."""
    CachedEmbedder(Lengths(), path).embed(["tree"])
    embedding_cache._set_aside(path)
    assert len(EmbeddingCache(path)) == 1
    path.unlink()
    embedding_cache._set_aside(path)
    assert len(EmbeddingCache(path)) == 0


def test_a_file_of_another_version_is_begun_anew(path: Path) -> None:
    """Rows in a form that this version doesn't know are forgotten, not misread."""
    CachedEmbedder(Lengths(), path).embed(["tree"])
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    inner = Lengths()
    CachedEmbedder(inner, path).embed(["tree"])
    assert inner.asked == ["tree"]


def work(path: Path, number: int) -> list[str]:
    """What one of several processes does: texts of its own and texts that all share."""
    inner = Lengths()
    cached = CachedEmbedder(inner, path)
    for part in range(10):
        texts = [f"own {number} {part}", f"shared {part}", f"shared {part + 1}"]
        assert np.array_equal(cached.embed(texts), Lengths().embed(texts))
    return inner.asked


@pytest.mark.parametrize("warm", [False, True])
def test_many_processes_share_one_file(path: Path, warm: bool) -> None:
    """Four forked processes writing at once all get right answers, and all that they embedded is kept."""
    if warm:
        EmbeddingCache(path).get([b"opened before the fork"])
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(work, [(path, number) for number in range(4)])
        pool.close()
        pool.join()
    assert len(EmbeddingCache(path)) == 4 * 10 + 11


def test_the_oldest_go_first_above_the_size_cap(path: Path) -> None:
    """The file stays near its cap, and what was kept last is still there."""
    cap = 300_000
    cached = CachedEmbedder(Lengths(256), path, max_bytes=cap)
    for part in range(20):
        cached.embed([f"{part} {number}" for number in range(40)])
    assert path.stat().st_size < 1.3 * cap
    inner = Lengths(256)
    CachedEmbedder(inner, path).embed(["19 39", "0 0"])
    assert inner.asked == ["0 0"]


def test_clear_forgets_everything(path: Path) -> None:
    """No row is left, and the space is given back."""
    cached = CachedEmbedder(Lengths(256), path)
    cached.embed([str(number) for number in range(500)])
    before = path.stat().st_size
    cached.cache.clear()
    assert len(cached.cache) == 0
    assert path.stat().st_size < before / 4


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder where the file should be, or a file where the folder should be, is one clear error."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "cache"):
        with pytest.raises(InputError, match="cache can't be used") as caught:
            CachedEmbedder(Lengths(), path).embed(["tree"])
        assert str(tmp_path) in caught.value.place


def test_the_cache_is_an_embedder_and_refuses_what_one_refuses(path: Path) -> None:
    """It has the inner name and dimension, answers no texts with no rows, and refuses a bare string."""
    cached: Embedder = CachedEmbedder(Lengths(), path)
    assert (cached.name, cached.dimension) == ("lengths", 2)
    assert cached.embed([]).shape == (0, 2)
    with pytest.raises(InputError, match="one string"):
        cached.embed("tree")
