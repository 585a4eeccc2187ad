"""Embeddings from an ONNX model in a folder: `model.onnx` and `tokenizer.json`. Extra `onnx`.

Texts are grouped by length, because a batch is as wide as its longest text: 64 long texts at once take 9 GB. A
session is opened anew in a forked process, since onnxruntime's threads don't follow a fork. It downloads nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pointsman.errors import InputError
from pointsman.estimate.embedder import at_least, embed_visible, extra_module, fingerprint, well_formed
from pointsman.records import Ints, Vectors

POOLINGS = ("mean", "cls")
MODEL_FILE, TOKENIZER_FILE = "model.onnx", "tokenizer.json"

# a parent's sessions, kept for good: to drop one in the child waits for threads that didn't follow the fork
_INHERITED: list[Any] = []


class OnnxEmbedder:
    """A transformer exported to ONNX; the token vectors pooled to one vector a text.

    The model takes `input_ids` and, where it has them, `attention_mask` and `token_type_ids` (int64 [B, L]); its
    first output of three axes [B, L, D] is pooled. A model that gives only [B, D] has pooled by itself.

    Args:
        folder: holds `model.onnx` and `tokenizer.json`.
        pooling: "mean" over the tokens, or "cls", the first token's vector (BGE models).
        cap_tokens: how many tokens of a text are read, the first ones; at most what the model was made for.
        batch_tokens: largest number of texts × tokens of one forward pass; bounds the memory.
        threads: of onnxruntime for one operation; 0 lets it choose.

    Raises:
        InputError: onnxruntime is missing, a file is missing or can't be read, an unknown pooling.
    """

    def __init__(
        self,
        folder: str,
        pooling: str = "mean",
        cap_tokens: int = 512,
        batch_tokens: int = 8192,
        threads: int = 0,
    ) -> None:
        if pooling not in POOLINGS:
            raise InputError(
                f"pooling is {pooling!r}", place=f"embedder 'onnx:{folder}'", remedy=f"use {' or '.join(POOLINGS)}"
            )
        limits = (("cap_tokens", cap_tokens, 2), ("batch_tokens", batch_tokens, 1), ("threads", threads, 0))
        for option, value, least in limits:
            at_least(f"embedder 'onnx:{folder}'", option, value, least)
        model, tokenizer = (_file(folder, name) for name in (MODEL_FILE, TOKENIZER_FILE))
        self._tokenizer = _read_tokenizer(tokenizer, cap_tokens)
        self._path, self._threads = model, threads
        self._pooling, self._batch_tokens = pooling, batch_tokens
        self._process = -1
        self._session: Any = None
        self.dimension = int(self._pooled(["a"]).shape[1])
        mark = fingerprint([model, tokenizer])
        self.name = f"onnx/{Path(folder).name}-{mark}/{pooling}/cap={cap_tokens}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, D], see `Embedder.embed`."""
        return embed_visible(texts, self.dimension, self._pooled)

    def _pooled(self, texts: list[str]) -> NDArray[np.floating]:
        self._open_here()
        tokens = [self._tokenizer.encode(well_formed(text)).ids for text in texts]
        groups = list(by_length(tokens, self._batch_tokens))
        found = np.vstack([self._forward([tokens[row] for row in rows]) for rows in groups])
        return found[np.argsort(np.concatenate(groups))]

    def _forward(self, tokens: list[list[int]]) -> NDArray[np.floating]:
        ids, mask = padded(tokens)
        offered = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found = self._session.run([self._output], {name: offered[name] for name in self._inputs})[0]
        return np.asarray(found) if found.ndim == 2 else pool(found, mask, self._pooling)

    def _open_here(self) -> None:
        """Open the session in this process, unless that is done."""
        if self._process == os.getpid():
            return
        _INHERITED.append(self._session)
        self._session = _session(self._path, self._threads)
        self._inputs = _input_names(self._session, self._path)
        self._output = _output_name(self._session, self._path)
        self._process = os.getpid()


def by_length(tokens: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Rows in groups of like length, shortest first; a group's size × its longest is at most `batch_tokens`.

    A text that is longer than `batch_tokens` makes a group of its own.
    """
    group: list[int] = []
    for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row])):
        if group and (len(group) + 1) * len(tokens[row]) > batch_tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def padded(tokens: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Token numbers and mask, int64 [B, L] each, zero behind the end of a text."""
    width = max(1, *(len(row) for row in tokens))
    ids, mask = np.zeros((2, len(tokens), width), dtype=np.int64)
    for row, found in enumerate(tokens):
        ids[row, : len(found)] = found
        mask[row, : len(found)] = 1
    return ids, mask


def pool(tokens: NDArray[np.floating], mask: Ints, pooling: str) -> NDArray[np.floating]:
    """One vector a text, [B, D], from token vectors [B, L, D]: the first token's, or the mean over the mask."""
    if pooling == "cls":
        return tokens[:, 0]
    counts = np.maximum(mask.sum(axis=1), 1)
    return np.asarray(np.einsum("bld,bl->bd", tokens, mask.astype(tokens.dtype)) / counts[:, None])


def _file(folder: str, name: str) -> Path:
    path = Path(folder).expanduser() / name
    if not path.is_file():
        raise InputError(
            f"there is no file {name}",
            place=f"embedder 'onnx:{folder}'",
            remedy=f"give a folder that holds {MODEL_FILE} and {TOKENIZER_FILE}",
        )
    return path


def _read_tokenizer(path: Path, cap_tokens: int) -> Any:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises bare Exception
        raise InputError(
            f"not a tokenizer ({type(error).__name__})", place=str(path), remedy="export the model again"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(cap_tokens)
    return tokenizer


def _session(path: Path, threads: int) -> Any:
    onnxruntime = extra_module("onnxruntime", "onnx")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception class a failure and no common one
        raise InputError(
            f"not a model that onnxruntime can run ({type(error).__name__})",
            place=str(path),
            remedy="export the model again, for a CPU",
        ) from error


def _input_names(session: Any, path: Path) -> tuple[str, ...]:
    names = tuple(found.name for found in session.get_inputs())
    strange = set(names) - {"input_ids", "attention_mask", "token_type_ids"}
    if strange or "input_ids" not in names:
        raise InputError(
            f"the model's inputs are {', '.join(names)}",
            place=str(path),
            remedy="give a text encoder with input_ids, and at most attention_mask and token_type_ids beside it",
        )
    return names


def _output_name(session: Any, path: Path) -> str:
    outputs = session.get_outputs()
    for axes in (3, 2):
        for found in outputs:
            if len(found.shape or ()) == axes:
                return str(found.name)
    raise InputError(
        "the model gives neither token vectors nor one vector a text",
        place=str(path),
        remedy="give a text encoder whose output is last_hidden_state [batch, tokens, dimension]",
    )
