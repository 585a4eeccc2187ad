"""What a token cost where a published set says how many but not for how much.

US dollars per million tokens, as (input, output). Two tables are those that CARROT (arXiv 2502.03261) published with
its code, `carrot/constants.py` of github.com/somerstep/CARROT, so that figures can be compared with it; they are list
prices of late 2024. EmbedLLM names no price at all: there a size tier stands for one, and a model whose size is not
known gets no rate. An unknown rate is None, never zero.
"""

from __future__ import annotations

import re

Rate = tuple[float, float]

SPROUT_RATES: dict[str, Rate] = {
    "aws-claude-3-5-sonnet-v1": (3.0, 15.0),
    "aws-titan-text-premier-v1": (0.8, 3.2),
    "openai-gpt-4o": (2.5, 10.0),
    "openai-gpt-4o-mini": (0.15, 0.6),
    "wxai-granite-3-2b-instruct-8k-max-tokens": (0.1, 0.1),
    "wxai-granite-3-8b-instruct-8k-max-tokens": (0.2, 0.2),
    "wxai-llama-3-1-70b-instruct": (0.9, 0.9),
    "wxai-llama-3-1-8b-instruct": (0.2, 0.2),
    "wxai-llama-3-2-1b-instruct": (0.06, 0.06),
    "wxai-llama-3-2-3b-instruct": (0.06, 0.06),
    "wxai-llama-3-3-70b-instruct": (0.9, 0.9),
    "wxai-llama-3-405b-instruct": (3.5, 3.5),
    "wxai-mixtral-8x7b-instruct-v01": (0.6, 0.6),
    "openai-o3-mini": (1.1, 4.4),  # not in CARROT's table: OpenAI's list price of January 2025
}

LEADERBOARD_RATES: dict[str, float] = {
    "01-ai/Yi-34B-Chat": 0.8,
    "NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO": 0.6,
    "Qwen/QwQ-32B-Preview": 1.2,
    "Qwen/Qwen2-72B-Instruct": 0.9,
    "Qwen/Qwen2.5-72B-Instruct": 1.2,
    "Qwen/Qwen2.5-7B-Instruct": 0.3,
    "alpindale/WizardLM-2-8x22B": 1.2,
    "deepseek-ai/deepseek-llm-67b-chat": 0.9,
    "google/gemma-2-27b-it": 0.8,
    "google/gemma-2-9b-it": 0.3,
    "google/gemma-2b-it": 0.1,
    "meta-llama/Llama-2-13b-chat-hf": 0.3,
    "meta-llama/Meta-Llama-3.1-70B-Instruct": 0.9,
    "mistralai/Mistral-7B-Instruct-v0.1": 0.2,
    "mistralai/Mistral-7B-Instruct-v0.2": 0.2,
    "mistralai/Mistral-7B-Instruct-v0.3": 0.2,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 0.6,
    "nvidia/Llama-3.1-Nemotron-70B-Instruct-HF": 0.9,
}
"""One rate for input and output. The 18 models that CARROT has on every task (its list less two incomplete ones)."""

SIZE_TIERS: tuple[tuple[float, float], ...] = ((4.0, 0.1), (8.0, 0.2), (21.0, 0.3), (41.0, 0.8), (80.0, 0.9))
"""(up to so many billion parameters, dollars per million tokens): the open-weight tiers common in 2024."""
LARGEST_RATE = 1.8

SIZES_WITHOUT_A_NAME: dict[str, float] = {
    "AdaptLLM__medicine-LLM": 7.0,
    "AdaptLLM__medicine-chat": 7.0,
    "Biomimicry-AI__ANIMA-Nectar-v2": 7.0,
    "CultriX__NeuralTrix-bf16": 7.0,
    "JaeyeonKang__CCK_Asura_v1": 10.7,
    "abhishek__zephyr-beta-math": 7.0,
    "bigcode__octocoder": 15.5,
    "bigscience__bloom-7b1": 7.1,
    "golaxy__gowizardlm": 7.0,
    "kevin009__llamaRAGdrama": 7.0,
    "kyujinpy__Sakura-SOLRCA-Math-Instruct-DPO-v1": 10.7,
    "microsoft__phi-1_5": 1.3,
    "microsoft__phi-2": 2.7,
    "openchat__openchat-3.5-0106": 7.0,
    "openchat__openchat_3.5": 7.0,
    "rishiraj__CatPPT-base": 7.0,
    "shleeeee__mistral-ko-tech-science-v1": 7.0,
    "zhengr__MixTAO-7Bx2-MoE-v8.1": 14.0,
}
"""Billions of parameters of the EmbedLLM models whose names do not say."""


def size_billions(model: str) -> float | None:
    """Billions of parameters as the name says them (`8x7b` is 56, every expert counted); None where it does not."""
    if model in SIZES_WITHOUT_A_NAME:
        return SIZES_WITHOUT_A_NAME[model]
    name = model.lower()
    if experts := re.search(r"(\d+)x(\d+(?:\.\d+)?)b", name):
        return float(experts[1]) * float(experts[2])
    sizes = re.findall(r"(\d+(?:\.\d+)?)b(?![a-z0-9])", name)
    return float(sizes[-1]) if sizes else None


def tier_rate(model: str) -> float | None:
    """Dollars per million tokens by size tier, for input and output alike; None where the size is not known."""
    size = size_billions(model)
    if size is None:
        return None
    return next((rate for limit, rate in SIZE_TIERS if size <= limit), LARGEST_RATE)
