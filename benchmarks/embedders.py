"""Embedders: what a text costs, alone and in batches, and what the cache saves.

    python benchmarks/embedders.py [--embedders SPEC,SPEC] [--json FILE]

Texts are put together from the simulated workload's prompts, in two lengths by the default's tokens. "library" is
the `embed` of the wordllama package given the same files; "every word new" the default on words it has not met.
Medians in microseconds a text, one thread; the library's own time beside the default's in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from pointsman.estimate.embedder import Embedder
from pointsman.estimate.embedder_wordllama import WordLlamaEmbedder
from pointsman.estimate.embedders import installed_embedders, load_embedder
from pointsman.estimate.embedding_cache import CachedEmbedder
from pointsman.evaluate.simulated import simulate

SHORT, LONG = 30, 500
TEXTS, CACHED = 256, 17_793


def cut(texts: Sequence[str], tokens: int, count: int) -> list[str]:
    """`count` texts of about `tokens` tokens, put together from the simulated workload's prompts."""
    counter = WordLlamaEmbedder(cap_tokens=100_000)
    words = " ".join(texts).split(" ")
    out: list[str] = []
    at = 0
    while len(out) < count:
        size = int(tokens * 0.6)
        while len(counter.tokens(" ".join(words[at : at + size]))) < tokens:
            size += max(1, tokens // 30)
        out.append(" ".join(words[at : at + size]))
        at = (at + size) % (len(words) - 2 * tokens)
    return out


def library() -> Callable[[list[str]], Any]:
    """The wordllama package's own `embed`, its tokenizer handed to it."""
    from wordllama.inference import WordLlamaInference  # noqa: PLC0415 - it changes the logging set-up

    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise SystemExit("wordllama is not installed")
    folder = Path(spec.origin).parent
    weights = load_file(folder / "weights/l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
    inference = WordLlamaInference(weights, tokenizer)
    return lambda texts: inference.embed(texts, norm=True)


def alone_us(embed: Callable[[list[str]], object], texts: Sequence[str]) -> float:
    """Median microseconds of one text by itself."""
    times = []
    for text in texts:
        started = time.perf_counter()
        embed([text])
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times)


def batch_us(embed: Callable[[list[str]], object], texts: list[str], runs: int) -> float:
    """Median microseconds a text when all come at once."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        embed(texts)
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times) / len(texts)


def measure(name: str, embed: Callable[[list[str]], object], short: list[str], long: list[str]) -> dict[str, Any]:
    """One row: both lengths, alone and in a batch, after one call that doesn't count."""
    few, runs = (TEXTS, 5) if name.startswith(("wordllama", "library")) else (24, 1)
    embed(short[:2])
    row = {
        "name": name,
        "short_alone_us": alone_us(embed, short[:few]),
        "short_batch_us": batch_us(embed, short[:few], runs),
        "long_alone_us": alone_us(embed, long[:few]),
        "long_batch_us": batch_us(embed, long[:few], runs),
    }
    print(
        f"{name:32} {SHORT} tokens: alone {row['short_alone_us']:9.1f}  batch {row['short_batch_us']:9.1f}"
        f"   {LONG} tokens: alone {row['long_alone_us']:9.1f}  batch {row['long_batch_us']:9.1f}  us a text",
        flush=True,
    )
    return row


def new_words_us(short: list[str]) -> float:
    """Median microseconds of one short text of which no word was met before."""
    fresh = WordLlamaEmbedder()
    times = []
    for text in short:
        fresh._pieces.clear()
        started = time.perf_counter()
        fresh.embed([text])
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times)


def cache_seconds(inner: Embedder, texts: list[str]) -> tuple[float, float]:
    """Seconds for `CACHED` texts through an empty and then through a warm cache."""
    with tempfile.TemporaryDirectory() as folder:
        cached = CachedEmbedder(inner, Path(folder) / "embeddings.sqlite")
        asked = [f"{number} {texts[number % len(texts)]}" for number in range(CACHED)]
        times = []
        for _ in range(2):
            started = time.perf_counter()
            cached.embed(asked)
            times.append(time.perf_counter() - started)
    return times[0], times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedders", type=lambda text: text.split(","), help="specs; default: the offline ones here")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    specs = asked.embedders or [name for name in installed_embedders() if name != "sentence-transformers"]
    prompts = list(simulate(4000, seed=3).texts)
    short, long = cut(prompts, SHORT, TEXTS), cut(prompts, LONG, TEXTS)
    with threadpool_limits(1):
        rows = [measure("library", library(), short, long)]
        rows += [measure(spec, load_embedder(spec).embed, short, long) for spec in specs]
        fresh = new_words_us(short)
        empty, warm = cache_seconds(WordLlamaEmbedder(), prompts)
    print(f"wordllama, {SHORT} tokens, every word new: {fresh:.1f} us")
    print(f"cache, {CACHED} texts: {empty:.2f} s empty (embedding included), {warm:.2f} s warm")
    if asked.json:
        figures = {"rows": rows, "new_words_us": fresh, "cache_empty_s": empty, "cache_warm_s": warm}
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
