"""A first `pointsman.yaml` out of the keys that are there: what `pointsman init` writes.

Takes an environment and the day, gives commented YAML text. It names variables, never their values. Without any key it
gives a file for a model server on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pointsman.pool.cards import Tier
from pointsman.pool.providers import PROVIDERS
from pointsman.pool.rates import known_rates

MASTER_KEY = "POINTSMAN_MASTER_KEY"

# Models to begin with, by provider; those whose rates aren't known on the day are left out.
FIRST: dict[str, tuple[tuple[str, Tier], ...]] = {
    "openai": (("gpt-5-nano", "small"), ("gpt-5-mini", "medium"), ("gpt-5.1", "large")),
    "anthropic": (("claude-haiku-4-5", "medium"), ("claude-sonnet-4-5", "large"), ("claude-opus-4-5", "frontier")),
    "gemini": (("gemini-2.5-flash-lite", "small"), ("gemini-2.5-flash", "medium"), ("gemini-2.5-pro", "large")),
    "mistral": (("mistral-small-latest", "small"), ("mistral-medium-latest", "medium")),
    "groq": (("llama-3.1-8b-instant", "small"), ("llama-3.3-70b-versatile", "medium")),
    "deepseek": (("deepseek-v4-flash", "medium"), ("deepseek-v4-pro", "large")),
    "together": (("meta-llama/Llama-3.3-70B-Instruct-Turbo", "medium"),),
    "openrouter": (("openai/gpt-5-mini", "medium"), ("anthropic/claude-sonnet-4.5", "large")),
    "xai": (("grok-3-mini", "small"), ("grok-4-fast-non-reasoning", "medium")),
    "fireworks": (("accounts/fireworks/models/gpt-oss-20b", "small"),),
    "cerebras": (("gpt-oss-120b", "medium"),),
    "perplexity": (("sonar", "small"), ("sonar-pro", "medium")),
    "cohere": (("command-r7b", "small"), ("command-a", "medium")),
    "moonshot": (("kimi-k2.6", "large"),),
    "zai": (("GLM-4.5-Air", "small"), ("GLM-4.6", "medium")),
}

HEAD = """\
# Written by `pointsman init`. Every key and its default: docs/configuration.md.
# After a change, `pointsman config check` says whether all of it can be used.

# The ledger, virtual keys and what is learned. Relative to this file.
state: pointsman-state

"""
OPEN_DOOR = """\
# Opens everything. Without it only programs on this machine can reach the gateway.
# master_key: os.environ/POINTSMAN_MASTER_KEY

"""
DOOR = """\
# Opens everything.
master_key: os.environ/POINTSMAN_MASTER_KEY

"""
SERVER = """\
server:
  host: 127.0.0.1
  port: 8400

"""
LOCAL = """\
models:
  # No provider's key was found in the environment, so this is a model server on this machine:
  # Ollama, llama.cpp, vLLM or any other that speaks OpenAI's API.
  - id: local/llama3.2
    base_url: http://127.0.0.1:11434/v1
    key: none
    rates: free
    capabilities: [streaming, json]
  # Models of a provider need no more than their id; the key comes from the environment:
  # - id: openai/gpt-5-mini

"""
TAIL = """\
# What may be spent. A query draws on every fund that it fits; docs/configuration.md shows funds by model, key and tag.
funds:
  - {name: all, amount: 10, unit: usd, window: 1mo, zone: UTC}

# Names to ask for in place of a model. `auto` chooses among all of them.
aliases:
  auto: {scarcity: serve-cheapest}
"""


def first_settings(environ: Mapping[str, str], today: date) -> str:
    """The text of a first file.

    Args:
        environ: where the keys of providers are looked for.
        today: the day (UTC) on which rates must be known.
    """
    found = [name for name in FIRST if environ.get(PROVIDERS[name].variable, "").strip()]
    listed = [_models(name, today) for name in found]
    models = "models:\n" + "".join(listed) + "\n" if any(listed) else LOCAL
    return HEAD + (DOOR if environ.get(MASTER_KEY, "").strip() else OPEN_DOOR) + SERVER + models + TAIL


def _models(provider: str, today: date) -> str:
    known = [(model, tier) for model, tier in FIRST[provider] if known_rates(provider, model, today)]
    if not known:
        return ""
    lines = [f"  - {{id: {provider}/{model}, tier: {tier}}}\n" for model, tier in known]
    return f"  # The key comes from {PROVIDERS[provider].variable}, the rates from genai-prices.\n" + "".join(lines)
