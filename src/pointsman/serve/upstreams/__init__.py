"""API shapes on the upstream's side, one adapter a file. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.pool.cards import UpstreamKind
from pointsman.serve.upstreams.adapter import Adapter
from pointsman.serve.upstreams.anthropic import AnthropicAdapter
from pointsman.serve.upstreams.gemini import GeminiAdapter
from pointsman.serve.upstreams.openai import OpenAIAdapter

ADAPTERS: Mapping[UpstreamKind, Adapter] = {
    "openai": OpenAIAdapter(),
    "anthropic": AnthropicAdapter(),
    "gemini": GeminiAdapter(),
}
"""The adapter of each kind of endpoint."""
