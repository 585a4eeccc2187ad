"""Sessions as signed cookies: what a visitor may do and until when, in the cookie itself, under a keyed hash.

The secret is a file of the state folder, made once and shared by all workers, so that a session outlives a restart
and holds with any worker. A session is bound to the key it was opened with: a changed key ends it. Nothing here knows
HTTP; times are handed in.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import orjson

from pointsman.errors import InputError

FILE = "ui.secret"
SECRET_BYTES = 32
WRONG_KEYS = 10  # a minute, in one worker
MINUTE_S = 60.0

Role = Literal["viewer", "admin"]


@dataclass(frozen=True, slots=True)
class Granted:
    """What a cookie says: who may look, whether they may change anything, and until when (Unix seconds)."""

    role: Role
    changes: bool
    expires_s: float


class Seal:
    """Signs and checks.

    Args:
        secret: at least 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, granted: Granted, key: str) -> str:
        """A cookie's value. `key` is what the session was opened with, "" where none is needed."""
        said = orjson.dumps([granted.role, granted.changes, granted.expires_s])
        return f"{_text(said)}.{_text(self._mark(said, key))}"

    def read(self, cookie: str, key_of: dict[Role, str | None], now_s: float) -> Granted | None:
        """What a cookie says; None for one that is forged, has ended, or whose key is no longer in force.

        Args:
            cookie: as the browser sent it.
            key_of: the key in force of each role, None where the role can't be had.
            now_s: Unix seconds.
        """
        said_text, _, mark_text = cookie.partition(".")
        try:
            said, mark = _bytes(said_text), _bytes(mark_text)
            role, changes, expires_s = orjson.loads(said)
            key = key_of[role]
        except (NotBase64, ValueError, KeyError, TypeError):
            return None
        if key is None or not hmac.compare_digest(mark, self._mark(said, key)) or expires_s <= now_s:
            return None
        return Granted(role, changes, expires_s)

    def _mark(self, said: bytes, key: str) -> bytes:
        bound = hmac.digest(self._secret, key.encode(), "sha256")
        return hmac.digest(bound, said, "sha256")


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))


def seal_of(state: Path) -> Seal:
    """The seal of a state folder; its secret is made where there is none, readable by its owner alone.

    Raises:
        InputError: the file can't be read or made, or holds something else.
    """
    path = state / FILE
    try:
        _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the dashboard's secret can't be kept: {error.strerror}", place=str(path), remedy="check the folder"
        ) from None
    if len(secret) < SECRET_BYTES:
        raise InputError("this is no secret of the dashboard", place=str(path), remedy="remove it; a new one is made")
    return Seal(secret)


def _make(path: Path) -> None:
    """A new secret, all at once: of several workers that start together, one's is kept."""
    if path.exists():
        return
    aside = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def same(given: str, key: str | None) -> bool:
    """Whether a key is the right one, in constant time; a key that isn't set is nobody's."""
    return key is not None and hmac.compare_digest(_hash(given), _hash(key))


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


class Door:
    """How many wrong keys were given lately: after ten in a minute nobody gets in by a key, the right one or not."""

    def __init__(self) -> None:
        self._wrong: deque[float] = deque(maxlen=WRONG_KEYS)

    def wrong(self, now_s: float) -> None:
        """One more."""
        self._wrong.append(now_s)

    def shut_s(self, now_s: float) -> float | None:
        """For how much longer it is shut; None where it is open."""
        if len(self._wrong) < WRONG_KEYS or now_s - self._wrong[0] >= MINUTE_S:
            return None
        return MINUTE_S - (now_s - self._wrong[0])
