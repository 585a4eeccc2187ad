"""Providers whose address, key variable and price list are known, so that a model needs no more than its id.

Only data. What a file says of a model goes before what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.pool.cards import Capability, Shape, UpstreamKind

SEES = frozenset[Capability]({"streaming", "tools", "json", "vision"})
WRITES = frozenset[Capability]({"streaming", "tools", "json"})
STREAMS = frozenset[Capability]({"streaming"})


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    Attributes:
        base_url: without a final slash.
        variable: the environment variable of its key; empty where it needs none.
        kind: whose API it speaks.
        price_list: its id in genai-prices; empty where it has none there.
        capabilities: what its chat models can do, as a rule.
    """

    base_url: str
    variable: str = ""
    kind: UpstreamKind = "openai"
    price_list: str = ""
    capabilities: frozenset[Capability] = WRITES


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY", "openai", "openai", SEES),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "anthropic", "anthropic", SEES),
    "gemini": Provider("https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY", "gemini", "google", SEES),
    "google": Provider("https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY", "gemini", "google", SEES),
    "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "openai", "mistral"),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY", "openai", "groq"),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "openai", "deepseek"),
    "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY", "openai", "together"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openai", "openrouter"),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY", "openai", "x-ai"),
    "fireworks": Provider("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", "openai", "fireworks"),
    "cerebras": Provider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "openai", "cerebras"),
    "perplexity": Provider("https://api.perplexity.ai", "PERPLEXITY_API_KEY", "openai", "perplexity"),
    "cohere": Provider("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", "openai", "cohere"),
    "moonshot": Provider("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", "openai", "moonshotai"),
    "zai": Provider("https://api.z.ai/api/paas/v4", "ZAI_API_KEY", "openai", "zai"),
    "novita": Provider("https://api.novita.ai/v3/openai", "NOVITA_API_KEY", "openai", "novita"),
    "ollama": Provider("http://127.0.0.1:11434/v1", capabilities=STREAMS),
    "vllm": Provider("http://127.0.0.1:8000/v1", capabilities=STREAMS),
    "llamacpp": Provider("http://127.0.0.1:8080/v1", capabilities=STREAMS),
    "lmstudio": Provider("http://127.0.0.1:1234/v1", capabilities=STREAMS),
}

# Shapes that an adapter can pass through as they are.
NATIVE: dict[UpstreamKind, tuple[Shape, ...]] = {
    "openai": ("chat", "completions", "embeddings", "responses"),
    "anthropic": ("messages",),
    "gemini": (),
}
RESPONSES_HOST = "api.openai.com"


def embeds(model: str) -> bool:
    """Whether a name is that of an embedding model, going by how providers name them."""
    return "embed" in model.lower()
