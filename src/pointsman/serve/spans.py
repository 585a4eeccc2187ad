"""What spans say of an exchange and of its calls, by OpenTelemetry's GenAI conventions. Pure, without the kit."""

from __future__ import annotations

from typing import Any

from pointsman.serve.finished import OPERATION, TO_FIRST_TOKEN, Finished, Hop

SECOND_NS = 1_000_000_000
Attributes = dict[str, str | bool | int | float]

# The conventions' own names of providers, where they differ from a model id's first part.
PROVIDER = {
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
}


def exchange_attributes(finished: Finished, asked: str) -> Attributes:
    """What the span of a whole exchange says; usage is on the call that answered, so that no sum counts it twice."""
    said: dict[str, Any] = {
        "gen_ai.operation.name": OPERATION[finished.shape],
        "gen_ai.request.model": asked,
        "gen_ai.request.stream": finished.stream,
        "gen_ai.response.model": finished.model,
        "http.response.status_code": finished.status,
        "pointsman.decision_id": finished.decision_id,
        "pointsman.outcome": finished.outcome,
        "pointsman.reason": finished.reason,
        "pointsman.shape": finished.shape,
        "pointsman.cost_usd": finished.cost_nano / 1e9,
        "pointsman.overrun_usd": finished.overrun_nano / 1e9 or None,
        "pointsman.overhead_ms": finished.overhead_s * 1e3,
    }
    said |= {f"pointsman.stage.{stage}_ms": seconds * 1e3 for stage, seconds in finished.stages_s.items()}
    return {name: value for name, value in said.items() if value is not None}


def hop_attributes(finished: Finished, hop: Hop) -> Attributes:
    """What the span of one call to an upstream says."""
    said: Attributes = {
        "gen_ai.operation.name": OPERATION[finished.shape],
        "gen_ai.provider.name": provider_name(hop.model.partition("/")[0]),
        "gen_ai.request.model": hop.model,
        "gen_ai.request.stream": finished.stream,
        "pointsman.endpoint": hop.endpoint,
        "pointsman.cost_usd": hop.cost_nano / 1e9,
    }
    usage = finished.usage
    if hop is finished.hops[-1] and usage is not None:
        said |= {
            "gen_ai.response.model": hop.model,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        }
    return said


def hop_times(finished: Finished) -> list[tuple[Hop, int, int]]:
    """Each call with its begin and end, Unix nanoseconds: one after the other, the last ending with the answer.

    Pauses between calls aren't recorded, so a call before the last may really have been up to that much later.
    """
    before_s = sum(finished.stages_s.get(stage, 0.0) for stage in TO_FIRST_TOKEN[:3])
    begin_ns = finished.at_ns + ns(before_s)
    times = []
    for hop in finished.hops:
        times.append((hop, begin_ns, begin_ns + ns(hop.seconds)))
        begin_ns += ns(hop.seconds)
    if times:
        end_ns = finished.at_ns + ns(finished.total_s - finished.stages_s.get("settle", 0.0))
        last = finished.hops[-1]
        times[-1] = (last, max(times[-1][1], end_ns - ns(last.seconds)), max(times[-1][2], end_ns))
    return times


def provider_name(provider: str) -> str:
    """As the conventions call it."""
    return PROVIDER.get(provider, provider)


def ns(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return int(seconds * SECOND_NS)
