"""Vectors kept on disk, so that a text is embedded once.

One SQLite file in write-ahead mode, safe for many processes and threads at once: every call opens its own
connection, so nothing is carried across a fork. A row is keyed by a hash of the embedder's name and the text; no
text is stored in clear (a hash still lets someone check whether a text they know was embedded, so the file is made
readable for its owner alone). A damaged file is renamed aside, with a warning, and begun anew.

It keeps vectors and nothing else, for good or until `clear` or the size cap; it never embeds by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder, check_texts
from pointsman.records import Vectors

VERSION = 1
ASKED_AT_ONCE = 500
EMBEDDED_AT_ONCE = 1024
WAIT_SECONDS = 60.0
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
MAX_BYTES = 4 << 30

T = TypeVar("T")


class EmbeddingCache:
    """Vectors by key, in one file.

    Args:
        path: the file; made, with its folder, when it is first used.
        max_bytes: above this size the oldest quarter of the rows is dropped before more are kept.

    Raises:
        InputError: from every method, if the file can't be opened or written.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored bytes of those keys that are known."""
        return self._use(lambda db: _get(db, keys))

    def put(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep the bytes of every (key, bytes), all or none; a known key is overwritten."""
        self._use(lambda db: _put(db, rows, self._max_bytes))

    def clear(self) -> None:
        """Forget everything and give the space back."""
        self._use(_clear)

    def __len__(self) -> int:
        return self._use(lambda db: int(db.execute("SELECT count(*) FROM vectors").fetchone()[0]))

    def _use(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do `act` on the file; on a damaged one, set it aside and do it on a new one."""
        try:
            return _on_file(self._path, act)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise _unusable(self._path, error) from error
        _set_aside(self._path)
        return _on_file(self._path, act)


class CachedEmbedder:
    """An embedder that asks the cache first; it fulfils the protocol of `Embedder`.

    Texts that are not in the cache are embedded `EMBEDDED_AT_ONCE` at a time and kept at once, so that an
    interruption loses one such portion. A text that occurs twice in a call is embedded once.

    Args:
        inner: does the embedding.
        path: the cache file.
        max_bytes: see `EmbeddingCache`.
    """

    def __init__(self, inner: Embedder, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._inner = inner
        self.cache = EmbeddingCache(path, max_bytes)
        self.name = inner.name

    @property
    def dimension(self) -> int:
        """The inner embedder's D."""
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, D], bit for bit what the inner embedder gave when the text was first met.

        Raises:
            InputError: as the inner embedder, or the cache file can't be opened or written.
        """
        check_texts(texts)
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        keys = [key_of(self.name, text) for text in texts]
        known = self.cache.get(keys)
        if len(known) < len(set(keys)) or len({len(data) for data in known.values()}) != 1:
            # only now is the inner embedder's dimension needed: a warm cache serves a model that is out of reach
            known = {key: data for key, data in known.items() if len(data) == 4 * self.dimension}
            known |= self._embedded({key: text for key, text in zip(keys, texts, strict=True) if key not in known})
        joined = b"".join(known[key] for key in keys)
        return np.frombuffer(joined, dtype="<f4").astype(np.float32).reshape(len(texts), -1)

    def _embedded(self, fresh: dict[bytes, str]) -> dict[bytes, bytes]:
        done: dict[bytes, bytes] = {}
        keys = list(fresh)
        for at in range(0, len(keys), EMBEDDED_AT_ONCE):
            part = keys[at : at + EMBEDDED_AT_ONCE]
            vectors = self._inner.embed([fresh[key] for key in part]).astype("<f4")
            rows = [(key, vector.tobytes()) for key, vector in zip(part, vectors, strict=True)]
            self.cache.put(rows)
            done.update(rows)
        return done


def key_of(name: str, text: str) -> bytes:
    """Sixteen bytes that stand for a text under an embedder of that name."""
    content = name.encode() + b"\0" + text.encode(errors="surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest()


def _get(db: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    wanted = list(dict.fromkeys(keys))
    found: dict[bytes, bytes] = {}
    for at in range(0, len(wanted), ASKED_AT_ONCE):
        part = wanted[at : at + ASKED_AT_ONCE]
        marks = ",".join("?" * len(part))
        found.update(db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part))  # noqa: S608 - marks only
    return found


def _put(db: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes]], max_bytes: int) -> None:
    with db:
        db.execute("BEGIN IMMEDIATE")
        if _used_bytes(db) + sum(len(data) for _, data in rows) > max_bytes:
            db.execute(
                "DELETE FROM vectors WHERE rowid IN"
                " (SELECT rowid FROM vectors ORDER BY rowid LIMIT (SELECT (count(*) + 3) / 4 FROM vectors))"
            )
        db.executemany("INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)", rows)


def _used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the pages in use: pages of dropped rows are used again and don't count."""
    pages, free, size = (_pragma(db, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _clear(db: sqlite3.Connection) -> None:
    with db:
        db.execute("DELETE FROM vectors")
    db.execute("VACUUM")


def _on_file(path: Path, act: Callable[[sqlite3.Connection], T]) -> T:
    with closing(_opened(path)) as db:
        return act(db)


def _opened(path: Path) -> sqlite3.Connection:
    _make_private(path)
    db = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        if _pragma(db, "user_version") != VERSION:
            with _lock(path):
                _make_table(db)
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last rows, never the file
    except BaseException:
        db.close()
        raise
    return db


def _make_private(path: Path) -> None:
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise _unusable(path, error) from error


def _make_table(db: sqlite3.Connection) -> None:
    """Make the table in this version's form; the rows of another version are forgotten."""
    found = _pragma(db, "user_version")
    if found == VERSION:  # another process was sooner
        return
    db.execute("PRAGMA journal_mode = WAL")
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DROP TABLE IF EXISTS vectors")
        db.execute("CREATE TABLE vectors (key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGED


def _set_aside(path: Path) -> None:
    """Rename a damaged file and its journals; if another process has done so meanwhile, do nothing."""
    with _lock(path):
        if _is_sound(path):
            return
        aside = _free_name(path)
        for tail in ("", "-wal", "-shm"):
            part = path.with_name(path.name + tail)
            if part.exists():
                part.replace(aside.with_name(aside.name + tail))
    warnings.warn(f"{path}: the embedding cache was damaged; it is now {aside.name}, a new one is begun", stacklevel=5)


def _is_sound(path: Path) -> bool:
    if not path.exists():
        return True
    with closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as db:
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.with_name(path.name + ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unusable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"the embedding cache can't be used ({error})",
        place=str(path),
        remedy="free the disk or the file, or give another folder for the cache",
    )
