"""What an embedder is, and the few things that every one of them does alike.

Takes texts, gives unit rows. It holds no model: those are in `embedder_wordllama`, `embedders_extra`,
`embedder_onnx` and `embedder_openai`; `embedders.load_embedder` picks one by its spec.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.records import Vectors

READ_BYTES = 1 << 20


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity.

    Attributes:
        name: stable id with model and settings; two embedders of one name give the same vectors, so it is
            part of the cache key.
        dimension: D, the length of a vector.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, D], one row a text, unit length.

        A text without a single visible character gives the zero vector: it is equally far from everything.

        Raises:
            InputError: `texts` is one string, or holds something that is not a string.
        """
        ...


def check_texts(texts: Sequence[object]) -> None:
    """Refuse one bare string (it would be read letter by letter) and whatever is not a string.

    Raises:
        InputError: naming the position; never the text.
    """
    if isinstance(texts, str):
        raise InputError("embed() was given one string", place="texts", remedy="pass a list of strings")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise InputError(f"a {kind}, not a string", place=f"text {row}", remedy="pass a list of strings")


def embed_visible(texts: Sequence[str], dimension: int, encode: Callable[[list[str]], NDArray[np.floating]]) -> Vectors:
    """Unit rows of `encode` for the texts that show anything, zero rows for the others.

    Args:
        texts: Q strings.
        dimension: D.
        encode: gives [V, D] for V visible texts; of any length, made unit length here.

    Raises:
        InputError: as `check_texts`, or `encode` gave another shape or something not finite.
    """
    check_texts(texts)
    rows = [row for row, text in enumerate(texts) if text and not text.isspace()]
    out = np.zeros((len(texts), dimension), dtype=np.float32)
    if rows:
        found = encode([texts[row] for row in rows])
        out[rows] = unit_rows(found, _checked_lengths(found, (len(rows), dimension)))
    return out


def lengths(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean length of every row, [Q]; not finite where a number in the row is not."""
    return np.asarray(np.sqrt(np.einsum("qd,qd->q", vectors, vectors, dtype=np.float64)))


def unit_rows(vectors: NDArray[np.floating], length: NDArray[np.float64]) -> Vectors:
    """The same rows at length one, float32 [Q, D], given their `lengths`; a zero row stays zero."""
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return np.asarray(vectors * scale[:, None], dtype=np.float32)


def ends(text: str, characters: int) -> str:
    """The text if it is short enough, else its first and last halves of `characters`.

    Both ends, because a long prompt opens with the task and closes with the question.
    """
    if len(text) <= characters:
        return text
    head = (characters + 1) // 2
    return text[:head] + text[len(text) - (characters - head) :]


def well_formed(text: str) -> str:
    """The text with half characters (lone surrogates) replaced, which tokenizers and wires refuse."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def at_least(place: str, option: str, value: int, least: int) -> None:
    """Refuse an option below its least value.

    Raises:
        InputError: naming the option.
    """
    if value < least:
        raise InputError(f"{option} is {value}", place=place, remedy=f"give {least} or more")


def extra_module(module: str, extra: str) -> Any:
    """The module of an optional extra.

    Raises:
        InputError: it is not installed; with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            f"the package of {module!r} is not installed",
            place=f"embedder {extra!r}",
            remedy=f"pip install pointsman[{extra}]",
        ) from None


def fingerprint(files: Sequence[Path]) -> str:
    """Twelve hex digits of the files' contents, so that another model in the same folder gets another name."""
    digest = hashlib.blake2b(digest_size=6)
    for path in files:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _checked_lengths(vectors: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Lengths of the model's vectors, refused if their shape is not `shape` or a number is not finite."""
    if vectors.shape != shape:
        raise InputError(
            f"the model gave an array of shape {vectors.shape}, expected {shape} (texts, dimension)",
            place="embedder",
            remedy="check that the model gives one vector a text",
        )
    length = lengths(vectors)
    if not np.isfinite(length).all():
        raise InputError(
            "the model gave a vector with NaN or infinity", place="embedder", remedy="check the model's files"
        )
    return length
