"""Under which names a conversation is remembered: digests, which hold no word of it. No I/O."""

from __future__ import annotations

from hashlib import blake2b

from pointsman.serve.wire.query import Query


def conversation(key_id: str, digest: bytes) -> bytes:
    """Where a conversation is remembered: two keys never share one."""
    return blake2b(digest, digest_size=16, key=key_id.encode()[:64]).digest()


def session_digest(session: str) -> bytes:
    """The digest that stands for a session id."""
    return blake2b(session.encode(errors="surrogatepass"), digest_size=16, person=b"session").digest()


def remembered_as(key_id: str, query: Query) -> list[bytes]:
    """What a later turn may look for: all messages so far, and the session."""
    session = query.wishes.session
    found = [conversation(key_id, query.digest)] if query.digest else []
    return [*found, conversation(key_id, session_digest(session))] if session is not None else found


def looked_for(key_id: str, query: Query) -> list[bytes]:
    """Where an earlier turn may be: under its session, else under what this one begins with."""
    session = query.wishes.session
    digests = query.prefixes if session is None else (session_digest(session),)
    return [conversation(key_id, digest) for digest in digests]
