"""What one exchange came to: the plain values that the journal, the metrics, the traces and the logs are fed with.

Made once, when an exchange has ended and its money is settled; nothing here is ever changed, and nothing here is a
prompt, an answer or a secret. No I/O and no clock: times are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pointsman.pool.cards import Shape, Usage

if TYPE_CHECKING:  # names in annotations alone: this module loads neither arrays nor adapters
    from pointsman.records import Candidate
    from pointsman.serve.again.basis import Basis
    from pointsman.serve.upstreams.adapter import FaultKind

Outcome = Literal["served", "client_gone", "refused", "upstream_failed"]
OUTCOMES: tuple[Outcome, ...] = ("served", "client_gone", "refused", "upstream_failed")

Stage = Literal["read", "decide", "hold", "connect", "first_token", "relay", "settle"]
STAGES: tuple[Stage, ...] = ("read", "decide", "hold", "connect", "first_token", "relay", "settle")
TO_FIRST_TOKEN: tuple[Stage, ...] = ("read", "decide", "hold", "connect", "first_token")

# What OpenTelemetry's GenAI conventions call the shapes.
OPERATION: dict[Shape, str] = {
    "chat": "chat",
    "messages": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One call to an upstream, the last one or one that failed before it.

    Attributes:
        model: who was asked.
        endpoint: by the endpoint's name, never its address.
        fault: None where it answered.
        cost_nano: what was posted for it, in nano-dollars.
        seconds: from the call to its end.
    """

    model: str
    endpoint: str
    fault: FaultKind | None
    cost_nano: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """One exchange, ended.

    Attributes:
        decision_id: what the client got as `x-pointsman-decision-id`.
        at_ns: when the request came in, Unix nanoseconds.
        key_id: the public id of the key, "master" for the master key, "" where none was asked for.
        shape: the API shape that the client spoke.
        asked: the model or alias that the client named.
        outcome: how it ended; "client_gone" before the whole answer was sent, "refused" before any upstream answered.
        status: the HTTP status that the client got, or would have got.
        reason: of the decision (`records.Reason`), "named" where the client chose, "explored" where chance did, or the
            refusal's type.
        model, provider, endpoint: who answered last; None where nobody was asked.
        stream: whether the answer was streamed.
        usage: tokens of the answer; None where there was none.
        cost_nano: posted over all hops, nano-dollars.
        held_nano: held for the hop that answered, nano-dollars.
        overrun_nano: what was posted beyond the holds, nano-dollars.
        hops: every call to an upstream, in order.
        stages_s: seconds by stage (`STAGES`), those that were reached; "connect" is from the first call on to the
            headers of the one that answered, failed hops and pauses among it.
        total_s: from the request's first byte read to the last byte of the answer sent.
        overhead_s: of it, what the gateway took itself.
        candidates: the models of the decision, best first; may be empty.
        funds: what each fund was charged, (name, whole units of the fund).
        input_chars: characters of the prompt, to learn tokens per character from; 0 where they don't say it (images).
        parent: the client's `traceparent` header, "" for none.
        propensity: the probability with which the model that answered was chosen; None where the client named it, or
            it answered in place of the one that was chosen.
        basis: what the decision rested on (`serve.again.basis`), for the journal.
        part: of the traffic's partition that the prompt fell into, for the drift watch.
    """

    decision_id: str
    at_ns: int
    key_id: str
    shape: Shape
    asked: str
    outcome: Outcome
    status: int
    reason: str
    model: str | None = None
    provider: str = ""
    endpoint: str = ""
    stream: bool = False
    usage: Usage | None = None
    cost_nano: int = 0
    held_nano: int = 0
    overrun_nano: int = 0
    hops: tuple[Hop, ...] = ()
    stages_s: Mapping[str, float] = field(default_factory=dict)
    total_s: float = 0.0
    overhead_s: float = 0.0
    candidates: Sequence[Candidate] = ()
    funds: tuple[tuple[str, int], ...] = ()
    input_chars: int = 0
    parent: str = ""
    propensity: float | None = None
    basis: Basis | None = None
    part: int | None = None

    @property
    def first_token_s(self) -> float | None:
        """From the request to the first byte of the answer's content; None where none came."""
        if "first_token" not in self.stages_s:
            return None
        return sum(self.stages_s.get(stage, 0.0) for stage in TO_FIRST_TOKEN)
