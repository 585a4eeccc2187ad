"""Which outcome sets are published, where, under what terms, and how far their figures can be trusted.

Plain facts, no I/O. A source whose upstream never changes is pinned to a commit and, where it is known, to the
SHA-256 of its files; the others follow their main branch and are verified against the hub's own checksums. How each
schema was established is in docs/data.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.errors import InputError
from pointsman.evaluate.data.rates import LEADERBOARD_RATES

NO_LICENCE = "none stated on the dataset card; ask its authors before you redistribute it"


@dataclass(frozen=True, slots=True)
class Source:
    """One published outcome set.

    Attributes:
        name: what `pointsman data fetch` calls it.
        title: for tables.
        repos: dataset repositories on the Hugging Face hub.
        revision: a commit, or a branch.
        files: glob patterns of the files that are needed.
        sha256: of the files whose content is known in advance, by path.
        licence: of the outcomes.
        home: where to read about it.
        size: of the download, in words.
        queries, models: how many, as published.
        cost: where `cost_usd` comes from.
        notes: what a reader of a figure should know.
    """

    name: str
    title: str
    repos: tuple[str, ...]
    files: tuple[str, ...]
    licence: str
    home: str
    size: str
    queries: int
    models: int
    cost: str
    notes: str
    revision: str = "main"
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """One verified file of a source: its repository, its path there, and where it lies here."""

    repo: str
    path: str
    local: Path


ROUTERBENCH = Source(
    name="routerbench",
    title="RouterBench 0-shot",
    repos=("withmartian/routerbench",),
    revision="784021482c3f320c6619ed4b3bb3b41a21424fcb",
    files=("routerbench_0shot.pkl",),
    sha256={"routerbench_0shot.pkl": "ba4f77f19517610a707c374e99322d7750c30fc4ae7ff5527888595a1e65d36d"},
    licence=NO_LICENCE,
    home="https://huggingface.co/datasets/withmartian/routerbench",
    size="100 MB",
    queries=36_497,
    models=11,
    cost="as recorded",
    notes="Scores and costs as published. Token counts are estimated from the texts' lengths (4 characters a token).",
)

SPROUT = Source(
    name="sprout",
    title="SPROUT",
    repos=("CARROT-LLM-Routing/SPROUT",),
    files=("data/*.parquet",),
    licence=NO_LICENCE,
    home="https://huggingface.co/datasets/CARROT-LLM-Routing/SPROUT",
    size="580 MB",
    queries=44_241,
    models=13,
    cost="recorded tokens x CARROT's rates",
    notes="Scores are those of an LLM judge. Token counts as recorded; rates of CARROT's constants (late 2024).",
)

SPROUT_O3MINI = Source(
    name="sprout-o3mini",
    title="SPROUT with o3-mini",
    repos=("CARROT-LLM-Routing/SPROUT-o3mini",),
    files=("data/*.parquet",),
    licence=NO_LICENCE,
    home="https://huggingface.co/datasets/CARROT-LLM-Routing/SPROUT-o3mini",
    size="about 600 MB",
    queries=44_241,
    models=14,
    cost="recorded tokens x CARROT's rates",
    notes="As SPROUT, with openai-o3-mini added at OpenAI's list price of January 2025 (1.10 / 4.40 USD per million).",
)

OPEN_LLM_LEADERBOARD = Source(
    name="open-llm-leaderboard",
    title="Open LLM Leaderboard v2, CARROT's 18 models",
    repos=tuple(f"open-llm-leaderboard/{model.replace('/', '__')}-details" for model in LEADERBOARD_RATES),
    files=("*/samples_leaderboard_*.json", "*/samples_leaderboard_*.jsonl"),
    licence="none stated; questions under their benchmarks' own terms, and GPQA's authors ask not to publish its text",
    home="https://huggingface.co/open-llm-leaderboard",
    size="about 10 GB in 18 repositories, of which some are gated",
    queries=21_065,
    models=18,
    cost="estimated tokens x CARROT's rates",
    notes=(
        "Joined by task and document number, not by row order: in CARROT's own pickle the rows of different models "
        "are in different orders, so figures computed from it, and from anything made from it, are not comparable. "
        "Tokens are estimated from the lengths of the recorded prompts and answers (4 characters a token)."
    ),
)

EMBEDLLM = Source(
    name="embedllm",
    title="EmbedLLM",
    repos=("RZ412/EmbedLLM",),
    revision="266ae3e180ccb533c86afc9cfb2f5db99d171aea",
    files=("train.csv", "val.csv", "test.csv"),
    licence="Apache-2.0",
    home="https://huggingface.co/datasets/RZ412/EmbedLLM",
    size="about 3.3 GB",
    queries=35_673,
    models=112,
    cost="a proxy: estimated input tokens x a rate by model size",
    notes=(
        "Labels are 0/1 and nothing was recorded of tokens or money. cost_usd is a proxy: input tokens estimated "
        "from the text's length x a rate by parameter count; compare it within this set only. A query that is listed "
        "under several task variants has the mean of its labels."
    ),
)

LLMROUTERBENCH = Source(
    name="llmrouterbench",
    title="LLMRouterBench, performance-cost",
    repos=("NPULH/LLMRouterBench",),
    revision="0e5af1b84bf73437a01a1849c0f1d2468baa93fc",
    files=("bench-release.tar.gz",),
    sha256={"bench-release.tar.gz": "b79f8cde1a6f029c2efa663a3a3b6f7748defb22341fe59f328cebef6648c8f1"},
    licence="none stated on the dataset card; the code's README says MIT",
    home="https://huggingface.co/datasets/NPULH/LLMRouterBench",
    size="1.3 GB",
    queries=12_446,
    models=13,
    cost="as recorded",
    notes=(
        "The 13 models with recorded costs on 10 benchmarks; the 20 small ones that ran without a price are left out. "
        "A record without a cost, with tokens but a cost of zero, or with a score outside [0, 1] is left out."
    ),
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (ROUTERBENCH, SPROUT, SPROUT_O3MINI, OPEN_LLM_LEADERBOARD, EMBEDLLM, LLMROUTERBENCH)
}


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        InputError: there is none.
    """
    if name not in SOURCES:
        raise InputError(f"there is no source `{name}`", place="NAME", remedy=f"give one of {', '.join(SOURCES)}")
    return SOURCES[name]
