"""Who asks: a secret in, a `Principal` out, or a refusal that doesn't say what was wrong.

Virtual keys live in `serve.keys`; here they are held in memory by hash, and read again when the file has changed,
looked at no more than once a second. So a key made or revoked in another process counts within a second. Secrets are
compared by their hashes, in constant time. Times are handed in; the secret of a new key is given once and never kept.
"""

from __future__ import annotations

import hmac
import re
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from pointsman.errors import InputError
from pointsman.pool.settings import FundRule
from pointsman.serve.keys import Budget, KeyFile, KeyRecord, fund_rules
from pointsman.serve.wire.errors import Refusal

PREFIX = "sk-pm-"
MASTER = "master"
REFRESH_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as far as the gateway cares.

    Attributes:
        key_id: of the virtual key; "master" for the master key, "" where no key is needed.
        admin: whether it opens the administration.
        models: ids it may ask for, with `*`; empty means every model.
        tags: carried by its queries besides their own.
        expires_ns: when it ends, None for never.
    """

    key_id: str
    admin: bool = False
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expires_ns: int | None = None

    def permits(self, model: str) -> bool:
        """Whether it may use a model (an exact id)."""
        return not self.models or _pattern(self.models).match(model) is not None


@lru_cache(maxsize=1024)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs))


def secret_from(headers: Mapping[str, str]) -> str:
    """What the client gave as its key: `authorization: Bearer …`, else `x-api-key`, else `api-key`; "" for nothing.

    Args:
        headers: names in lower case.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if given and scheme.lower() == "bearer":
        return given.strip()
    return headers.get("x-api-key") or headers.get("api-key") or ""


def require_admin(principal: Principal) -> None:
    """Lets only the administration through.

    Raises:
        Refusal: permission_error.
    """
    if not principal.admin:
        raise Refusal("permission_error", "This needs the master key.")


class Keys:
    """Master and virtual keys. For one thread; make and close it there.

    With neither a master key nor any virtual key ever made, everyone is let in as the administrator; that is for a
    gateway on loopback alone, which whoever starts it has to see to.

    Args:
        path: of `keys.sqlite` in the state folder.
        master_key: the secret that opens everything, None for none.
        draw: where new secrets come from: n random bytes.

    Attributes:
        generation: another number whenever the keys in force, and so their funds, have changed; `authenticate` may
            bring a new one.

    Raises:
        InputError: the file is there and isn't a file of keys.
    """

    def __init__(
        self, path: Path, master_key: str | None = None, *, draw: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._file = KeyFile(path)
        self._draw = draw
        self._looked_ns = 0
        self._version = self._file.version()
        self.set_master_key(master_key)
        self.generation = 0
        self._read()
        self._told = self.generation

    def set_master_key(self, master_key: str | None) -> None:
        """Another master key from now on.

        Raises:
            InputError: it is empty, which would let in whoever gives none.
        """
        if master_key == "":
            raise InputError("the master key is empty", remedy="give it a long random text, or leave it out")
        self._master = None if master_key is None else _hash(master_key)

    def authenticate(self, secret: str, at_ns: int) -> Principal:
        """Whose secret it is.

        Args:
            secret: as `secret_from` gives it; "" for none.
            at_ns: Unix nanoseconds now.

        Raises:
            Refusal: authentication_error, the same for a wrong, an expired, a revoked and a missing key; "overloaded"
                where the file of keys can't be read, so that a revoked key doesn't live on.
        """
        given = _hash(secret)
        if self._master is not None and hmac.compare_digest(given, self._master):
            return Principal(MASTER, admin=True)
        self._look(at_ns)
        principal = self._found(given, at_ns)
        if principal is None and not self._open:
            self._look(at_ns, again=True)  # another worker may have made it a moment ago
            principal = self._found(given, at_ns)
        if principal is not None:
            return principal
        if self._open:
            return Principal("", admin=True)
        raise Refusal(
            "authentication_error",
            "No valid key was given: send one as `authorization: Bearer …` or as `x-api-key`.",
            headers={"www-authenticate": "Bearer"},
        )

    def refresh(self, at_ns: int) -> bool:
        """Whether keys have changed, here or in another process, since the last time that this was asked.

        Raises:
            Refusal: "overloaded", the file can't be read.
        """
        self._look(at_ns)
        told, self._told = self._told, self.generation
        return told != self.generation

    def _found(self, given: bytes, at_ns: int) -> Principal | None:
        for known, principal in self._known.get(given[:8], ()):
            if hmac.compare_digest(given, known) and (principal.expires_ns is None or at_ns < principal.expires_ns):
                return principal
        return None

    def _look(self, at_ns: int, *, again: bool = False) -> None:
        """Reads the keys again if another process has changed them; looks at most once a second, unless `again`."""
        if not again and abs(at_ns - self._looked_ns) < REFRESH_NS:
            return
        try:
            version = self._file.version()
            if version != self._version:
                self._read()
        except sqlite3.Error:
            raise Refusal("overloaded", "The keys can't be read now; try again.", retry_after_s=1.0) from None
        self._looked_ns, self._version = at_ns, version

    def create(
        self,
        at_ns: int,
        *,
        id: str | None = None,
        models: Sequence[str] = (),
        tags: Sequence[str] = (),
        expires_ns: int | None = None,
        budget: Budget | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new virtual key: its secret, which nothing can show again, and what is kept.

        Raises:
            InputError: an id that is malformed or was used before, a limit below zero, an expiry in the past.
        """
        secret = PREFIX + urlsafe_b64encode(self._draw(32)).rstrip(b"=").decode()
        record = KeyRecord(
            id if id is not None else f"key-{self._draw(5).hex()}",
            _hash(secret),
            at_ns,
            tuple(models),
            tuple(tags),
            expires_ns,
            None,
            budget,
            requests_per_minute,
            tokens_per_minute,
        )
        self._file.add(record)
        self._read()
        return secret, record

    def revoke(self, id: str, at_ns: int) -> KeyRecord | None:
        """Ends a key at once here, within a second elsewhere; None where no live key has this id."""
        if not self._file.revoke(id, at_ns):
            return None
        self._read()
        return next(record for record in self._records if record.id == id)

    def list(self) -> tuple[KeyRecord, ...]:
        """Every key there ever was, the oldest first."""
        return self._records

    def fund_rules(self, at_ns: int) -> tuple[FundRule, ...]:
        """The funds of all keys that are live; call it again when `refresh` says that something changed."""
        return tuple(rule for record in self._records if record.state(at_ns) == "live" for rule in fund_rules(record))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _read(self) -> None:
        self._records = self._file.records()
        self.generation += 1
        # A key ever made closes the gateway for good: revoking the last one must not open it to everyone.
        self._open = self._master is None and not self._records
        self._known: dict[bytes, list[tuple[bytes, Principal]]] = {}
        for record in self._records:
            if record.revoked_ns is None:
                who = Principal(record.id, False, record.models, record.tags, record.expires_ns)
                self._known.setdefault(record.hash[:8], []).append((record.hash, who))


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
