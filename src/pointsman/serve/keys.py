"""Virtual keys at rest: one row a key in `keys.sqlite`, with the hash of its secret, never the secret.

Takes and gives `KeyRecord`s. Rows are added and revoked, never deleted, so that an id means one key for ever: funds
and ledger entries go by it. It checks no secret (`serve.access` does) and reads no clock.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from pointsman.errors import InputError
from pointsman.ledger.window import Window
from pointsman.pool.settings import FundRule, WindowRule

APPLICATION_ID = 0x504D4B59  # "PMKY"
SCHEMA_VERSION = 1
SCHEMA = """
create table keys (
    id text primary key,
    hash blob not null unique,
    created_ns integer not null,
    expires_ns integer,
    revoked_ns integer,
    models text not null,
    tags text not null,
    budget text,
    requests_per_minute integer,
    tokens_per_minute integer
) strict, without rowid
"""
ADD = (
    "insert into keys values (:id, :hash, :created_ns, :expires_ns, :revoked_ns, :models, :tags, :budget,"
    " :requests_per_minute, :tokens_per_minute)"
)
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHADOW = "shadow"  # who asks where traffic is mirrored
RESERVED = frozenset({"master", SHADOW})
MINUTE = WindowRule("rolling", 60)

KeyState = Literal["live", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a key may spend: nano-dollars over a window."""

    amount_nano: int
    window: WindowRule = field(default_factory=WindowRule)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A virtual key as it is kept.

    Attributes:
        id: public, unique for ever; funds, decisions and logs name it.
        hash: SHA-256 of the secret, 32 bytes; kept out of the representation.
        created_ns, expires_ns, revoked_ns: Unix nanoseconds; None where it doesn't end that way.
        models: ids it may ask for, with `*` as in a shell; empty means every model.
        tags: every query made with it carries them, for funds that draw by tag.
        budget: what it may spend, None for no limit of its own.
        requests_per_minute, tokens_per_minute: in any 60 seconds, None for no limit of its own.
    """

    id: str
    hash: bytes = field(repr=False)
    created_ns: int
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expires_ns: int | None = None
    revoked_ns: int | None = None
    budget: Budget | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def state(self, at_ns: int) -> KeyState:
        """Whether it opens anything at that time."""
        if self.revoked_ns is not None:
            return "revoked"
        return "expired" if self.expires_ns is not None and self.expires_ns <= at_ns else "live"

    def public(self) -> dict[str, Any]:
        """Everything about it that may be shown: all but the hash."""
        shown = asdict(self)
        del shown["hash"]
        return shown


def fund_rules(record: KeyRecord) -> list[FundRule]:
    """The key's budget and limits as funds that its queries alone draw on: `key:ID:budget`, `…:rpm`, `…:tpm`."""
    keys = (record.id,)
    rules = []
    if record.budget is not None:
        rules.append(
            FundRule(f"key:{record.id}:budget", record.budget.amount_nano, "usd", record.budget.window, keys=keys)
        )
    if record.requests_per_minute is not None:
        rules.append(FundRule(f"key:{record.id}:rpm", record.requests_per_minute, "requests", MINUTE, keys=keys))
    if record.tokens_per_minute is not None:
        rules.append(FundRule(f"key:{record.id}:tpm", record.tokens_per_minute, "tokens", MINUTE, keys=keys))
    return rules


def check(record: KeyRecord) -> None:
    """Refuses a key that could never work or whose id couldn't be told from another's.

    Raises:
        InputError: names the field.
    """
    if not ID.fullmatch(record.id) or record.id in RESERVED:
        raise InputError(
            f"{record.id!r} can't be the id of a key",
            remedy="use up to 64 letters, digits, `.`, `_`, `-`, a letter or digit first; not `master` or `shadow`",
        )
    if record.expires_ns is not None and record.expires_ns <= record.created_ns:
        raise InputError("it would have expired already", place=f"key {record.id}", remedy="give a time to come")
    if record.expires_ns is not None and record.expires_ns >= 2**63:
        raise InputError("it would expire in centuries", place=f"key {record.id}", remedy="leave it out for no expiry")
    if record.budget is not None:
        window = record.budget.window  # one that the ledger can't keep would stop the gateway at its next start
        Window(window.kind, window.length_s, window.every, window.zone)
    amounts = {
        "the budget": record.budget.amount_nano if record.budget else None,
        "the requests a minute": record.requests_per_minute,
        "the tokens a minute": record.tokens_per_minute,
    }
    for name, amount in amounts.items():
        if amount is not None and not 0 <= amount < 2**63:
            raise InputError(
                f"{name} must be at least zero", place=f"key {record.id}", remedy="leave it out for no limit"
            )
    for name, texts in {"models": record.models, "tags": record.tags}.items():
        if not all(texts):
            raise InputError(f"`{name}` has an empty entry", place=f"key {record.id}", remedy="leave it out")


class KeyFile:
    """The file. One connection; several processes may have one each.

    Args:
        path: of the SQLite file; made, readable by its owner alone, where it isn't there.

    Raises:
        InputError: it isn't a file of keys, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"keys can't be kept there: {error}", place=str(path), remedy="check the folder") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            remedy = "give another folder, or put the file aside"
            raise InputError(f"this isn't a file of keys: {error}", place=str(path), remedy=remedy) from None
        except InputError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("begin immediate")
        (kind,), (version,) = (
            self._db.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
        )
        tables = self._db.execute("select count(*) from sqlite_schema").fetchone()[0]
        if not tables and not kind:
            self._db.execute(SCHEMA)
            self._db.execute(f"pragma application_id = {APPLICATION_ID}")
            self._db.execute(f"pragma user_version = {SCHEMA_VERSION}")
        self._db.execute("commit")
        if (tables or kind) and (kind, version) != (APPLICATION_ID, SCHEMA_VERSION):
            what = "this file of keys has another version" if kind == APPLICATION_ID else "this isn't a file of keys"
            raise InputError(what, place=str(self._path), remedy="use the version of Pointsman that wrote it")

    def add(self, record: KeyRecord) -> None:
        """Keeps a new key.

        Raises:
            InputError: the id was used before, be it for a key revoked since.
        """
        check(record)
        try:
            self._db.execute(ADD, _row(record))
        except sqlite3.IntegrityError:
            raise InputError(
                f"there is or was a key {record.id!r}", place=str(self._path), remedy="choose an id that was never used"
            ) from None

    def revoke(self, id: str, at_ns: int) -> bool:
        """Ends a key; False where there is none of this id, or it was revoked before."""
        done = self._db.execute("update keys set revoked_ns = ? where id = ? and revoked_ns is null", (at_ns, id))
        return done.rowcount == 1

    def records(self) -> tuple[KeyRecord, ...]:
        """Every key there ever was, the oldest first."""
        cursor = self._db.execute("select * from keys order by created_ns, id")
        names = [column[0] for column in cursor.description]
        return tuple(_record(dict(zip(names, row, strict=True))) for row in cursor)

    def version(self) -> int:
        """Another number whenever another connection has changed the file."""
        return int(self._db.execute("pragma data_version").fetchone()[0])

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()


def _row(record: KeyRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in KeyRecord.__slots__}
    for name in ("models", "tags"):
        fields[name] = orjson.dumps(fields[name]).decode()
    fields["budget"] = orjson.dumps(record.budget).decode() if record.budget else None
    return fields


def _record(row: Mapping[str, Any]) -> KeyRecord:
    budget = orjson.loads(row["budget"]) if row["budget"] else None
    fields = {
        "models": tuple(orjson.loads(row["models"])),
        "tags": tuple(orjson.loads(row["tags"])),
        "budget": Budget(budget["amount_nano"], WindowRule(**budget["window"])) if budget else None,
    }
    return KeyRecord(**{**row, **fields})
