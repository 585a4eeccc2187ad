"""API shapes on the upstream's side, one adapter a file. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.pool.cards import Model, UpstreamKind
from pointsman.serve.upstreams.adapter import Adapter
from pointsman.serve.upstreams.anthropic import AnthropicAdapter
from pointsman.serve.upstreams.gemini import GeminiAdapter
from pointsman.serve.upstreams.openai import OpenAIAdapter


def adapters_of(models: Sequence[Model]) -> Mapping[UpstreamKind, Adapter]:
    """The adapter of each kind of endpoint; Anthropic's wants a limit on every answer, which is the model's own."""
    limits = {
        endpoint.name: model.max_output_tokens
        for model in models
        if model.max_output_tokens is not None
        for endpoint in model.endpoints
    }
    return {"openai": OpenAIAdapter(), "anthropic": AnthropicAdapter(limits), "gemini": GeminiAdapter()}
