"""One entry of a LiteLLM `model_list`, read: what it calls the model, and what of it Pointsman can say.

Nothing is looked up and nothing is guessed here; parameters that have no counterpart are named, so that the import can
tell of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from pointsman.pool.config_nodes import Entry
from pointsman.pool.config_values import exact, truth, whole
from pointsman.pool.providers import NATIVE, PROVIDERS

# LiteLLM's prefix -> ours, where they differ.
PREFIXES = {
    **{name: name for name in PROVIDERS},
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "ollama_chat": "ollama",
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
    "cohere_chat": "cohere",
    "azure": "azure",
    "azure_ai": "azure",
    "text-completion-openai": "openai",
    "custom_openai": "openai",
    "openai_like": "openai",
}
BARE = {
    "claude": "anthropic",
    "gpt-": "openai",
    "chatgpt-": "openai",
    "text-embedding-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
}
COSTS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_reasoning_token": "reasoning",
}
ABOVE = re.compile(r"(.+)_above_(\d+)k_tokens")
ABILITIES = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_response_schema": "json",
    "supports_audio_input": "audio",
}
SHAPES = {"embedding": ["embeddings"], "completion": ["completions"], "chat": None, "responses": ["responses"]}
READ = {
    "model", "custom_llm_provider", "api_base", "base_url", "api_key", "rpm", "tpm", "max_budget", "budget_duration",
    "tags", "extra_headers", "organization",
}  # fmt: skip
READ_INFO = {"id", "mode", "base_model", "max_input_tokens", "max_output_tokens", "max_tokens", *ABILITIES}
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry.

    Attributes:
        name: what clients ask for.
        provider, model: our id's parts; `provider` is empty where the prefix is none that Pointsman speaks.
        upstream: what the upstream calls the model.
        base_url, key: as written; None where left out.
        headers: sent with every call.
        rates: as our file has them; empty where none are given.
        traits: further keys of our model.
        limits: funds in requests or tokens a minute, and (budget, duration).
        dropped: parameters without a counterpart.
        place: file and line.
    """

    name: str
    provider: str
    model: str
    upstream: str
    base_url: str | None
    key: str | None
    headers: Mapping[str, str]
    rates: Mapping[str, Any]
    traits: Mapping[str, Any]
    limits: Mapping[str, int]
    budget: tuple[Decimal, str | None] | None
    dropped: tuple[str, ...]
    place: str


def read_deployment(entry: Entry) -> Deployment:
    """One entry of the list.

    Raises:
        InputError: no `model_name` or no `litellm_params.model`, or a value of the wrong kind; with the line.
    """
    top = _given(entry)
    if "model_name" not in top or "litellm_params" not in top:
        raise entry.refusal("the entry has no `model_name` or no `litellm_params`", "add what is missing")
    given, info = _given(top["litellm_params"]), _given(top["model_info"]) if "model_info" in top else {}
    if "model" not in given:
        raise top["litellm_params"].refusal("`litellm_params` has no `model`", "add `model: provider/name`")
    base_url = _written(given, "api_base") or _written(given, "base_url")
    provider, upstream = _provider(given, base_url)
    costs = {key: value for key, value in {**info, **given}.items() if _cost(key)}
    return Deployment(
        name=top["model_name"].written,
        provider=provider,
        model=_base_model(info, provider) or upstream,
        upstream=upstream,
        base_url=_address(provider, base_url) if base_url else None,
        key=_written(given, "api_key"),
        headers=_headers(given),
        rates=_rates(costs),
        traits=_traits(given, info),
        limits={key: whole()(given[key]) for key in ("rpm", "tpm") if key in given},
        budget=_budget(given),
        dropped=_dropped(top, given, info, costs),
        place=entry.place,
    )


def _given(entry: Entry) -> dict[str, Entry]:
    return {key: value for key, value in entry.pairs().items() if not value.is_null}


def _written(given: Mapping[str, Entry], key: str) -> str | None:
    return given[key].written if key in given else None


def _provider(given: Mapping[str, Entry], base_url: str | None) -> tuple[str, str]:
    """Our provider, empty where there is none, and the upstream's name for the model."""
    written = given["model"].written
    prefix, slash, rest = written.partition("/")
    if "custom_llm_provider" in given:
        named = PREFIXES.get(given["custom_llm_provider"].written, "")
        return named, rest if slash and PREFIXES.get(prefix) == named else written
    if slash and prefix in PREFIXES:
        return PREFIXES[prefix], rest
    if slash and base_url is None:
        return "", written
    bare = next((provider for start, provider in BARE.items() if written.startswith(start)), "")
    return bare or ("openai" if base_url else ""), written


def _base_model(info: Mapping[str, Entry], provider: str) -> str | None:
    named = _written(info, "base_model")
    return named.removeprefix(f"{provider}/") if named else None


def _address(provider: str, base_url: str) -> str:
    """LiteLLM adds each provider's version to the address by itself; here it stands in the file."""
    plain = base_url.rstrip("/")
    if "://" not in plain or urlsplit(plain).path:
        return plain
    versions = {"azure": "/openai/v1", "ollama": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
    return plain + versions.get(provider, "")


def _headers(given: Mapping[str, Entry]) -> dict[str, str]:
    found = (
        {key: value.written for key, value in _given(given["extra_headers"]).items()}
        if "extra_headers" in given
        else {}
    )
    return found | ({"openai-organization": given["organization"].written} if "organization" in given else {})


def _cost(key: str) -> bool:
    above = ABOVE.fullmatch(key)
    return (above[1] if above else key) in COSTS


def _rates(costs: Mapping[str, Entry]) -> dict[str, Any]:
    """US dollars per million tokens from US dollars per token, exact; steps where a cost begins above a length."""
    steps: dict[str, dict[int, Decimal]] = {}
    for key, entry in costs.items():
        above = ABOVE.fullmatch(key)
        kind, start = (COSTS[above[1]], int(above[2]) * 1_000 + 1) if above else (COSTS[key], 0)
        steps.setdefault(kind, {})[start] = exact(entry) * MILLION
    kept = {kind: steps[kind] for kind in COSTS.values() if 0 in steps.get(kind, {})}
    return {kind: found[0] if len(found) == 1 else _listed(found) for kind, found in kept.items()}


def _listed(found: Mapping[int, Decimal]) -> list[dict[str, Any]]:
    return [{"from": start, "usd": found[start]} for start in sorted(found)]


def _traits(given: Mapping[str, Entry], info: Mapping[str, Entry]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    mode = _written(info, "mode")
    if mode is not None and SHAPES.get(mode):
        found["shapes"] = SHAPES[mode]
    for ours, theirs in (("context", "max_input_tokens"), ("max_output", "max_output_tokens")):
        if theirs in info:
            found[ours] = whole(least=1)(info[theirs])
    if "max_output" not in found and "max_tokens" in info:
        found["max_output"] = whole(least=1)(info["max_tokens"])
    if mode != "embedding" and any(key in info for key in ABILITIES):
        able = [ours for theirs, ours in ABILITIES.items() if theirs in info and truth(info[theirs])]
        found["capabilities"] = ["streaming", *able]
    if "tags" in given:
        found["tags"] = [one.written for one in given["tags"].items()]
    return found


def _budget(given: Mapping[str, Entry]) -> tuple[Decimal, str | None] | None:
    if "max_budget" not in given:
        return None
    return exact(given["max_budget"]), _written(given, "budget_duration")


def _dropped(
    top: Mapping[str, Entry], given: Mapping[str, Entry], info: Mapping[str, Entry], costs: Mapping[str, Entry]
) -> tuple[str, ...]:
    """What has no counterpart, by its path in the entry."""
    entries = [key for key in top if key not in {"model_name", "litellm_params", "model_info"}]
    params = [f"litellm_params.{key}" for key in given if key not in READ and key not in costs]
    infos = [f"model_info.{key}" for key in info if key not in READ_INFO and key not in costs]
    mode = _written(info, "mode")
    return (*entries, *params, *infos, *([f"model_info.mode {mode}"] if mode and mode not in SHAPES else []))


def speaks(deployment: Deployment) -> bool:
    """Whether the provider is one whose API Pointsman speaks, at an address that is known."""
    known = PROVIDERS.get(deployment.provider)
    if known is None and not (deployment.provider and deployment.base_url):
        return False
    shapes = deployment.traits.get("shapes")
    kind = known.kind if known is not None else "openai"
    return all(shape in NATIVE[kind] for shape in shapes or ())
