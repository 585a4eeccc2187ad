"""What the gateway knows of one request, whatever API shape it came in. Frozen, no I/O.

`serve.wire` reads one from a parsed body; routing, funds and upstreams look only at this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pointsman.pool.cards import Capability, Shape


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client may ask of the router itself, in a header or in the body's `pointsman` object.

    Attributes:
        models: candidates it allows, exact ids or with `*`; empty means those of the alias.
        trade_off: 0 to 10, None for the alias's.
        max_cost_nano: most that the query may be expected to cost.
        session: conversations with the same id stay together.
        tags: for funds that draw by tag.
        residency: tags that the model must have.
        debug: the whole explanation in headers.
        stream_cost: the cost in the last chunk of a stream.
    """

    models: tuple[str, ...] = ()
    trade_off: float | None = None
    max_cost_nano: int | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    residency: tuple[str, ...] = ()
    debug: bool = False
    stream_cost: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One request.

    Attributes:
        shape: whose API it came in.
        body: the parsed body without the `pointsman` object; shared, never changed in place.
        model: what was asked for: a model's id, an alias, "auto" or "pointsman/auto".
        text: what is embedded: the user's last turn, with earlier ones before it where it is short.
        input_chars: characters of everything that the upstream reads (all turns, tools, schemas).
        images: how many pictures it carries.
        stream: whether the answer is to be streamed.
        wants_usage: whether the client asked for the usage chunk of a stream (always True where the shape has it).
        max_output_tokens: the client's own limit on the answer, None where it set none.
        choices: how many answers are asked for at once (`n`), at least 1.
        needs: capabilities without which a model can't serve it.
        turns: how many messages it carries.
        digest: of all its messages, 16 bytes: a later request that begins with the same ones continues it.
        prefixes: digests of its messages up to each earlier turn, the longest first; empty for a single turn.
        wishes: what it asks of the router.
        idempotency: the client's `idempotency-key`, None where it sent none.
        betas: the client's `anthropic-beta`, which its body may be meant with; "" where it sent none.
    """

    shape: Shape
    body: dict[str, Any]
    model: str
    text: str
    input_chars: int
    images: int = 0
    stream: bool = False
    wants_usage: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    needs: frozenset[Capability] = frozenset()
    turns: int = 1
    digest: bytes = b""
    prefixes: tuple[bytes, ...] = ()
    wishes: Wishes = Wishes()
    idempotency: str | None = None
    betas: str = ""
