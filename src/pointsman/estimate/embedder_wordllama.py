"""The default embedder: WordLlama's static token vectors, averaged. 256 dimensions, offline, microseconds.

The weights and the tokenizer are read from the files inside the installed `wordllama` wheel. The package itself
is never imported: release 0.4.0 looks for its tokenizer in a folder that it doesn't ship and then tries to
download it, and it changes the logging set-up on import. Nothing here can reach the network.

The vectors equal those of the package's `embed(norm=True)` for every text up to the cap. They come sooner because
a text is cut into pieces that no token of the vocabulary spans (a word, a digit, a run of signs), and the token
numbers of a piece are remembered, so a known word costs one dictionary look-up and not a run of the tokenizer.
The tokenizer is called for one piece at a time, which starts no threads and so is safe before and after a fork.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pointsman.errors import InputError
from pointsman.estimate.embedder import at_least, embed_visible, ends, well_formed
from pointsman.records import Vectors

CAP_TOKENS = 512
CHARACTERS_PER_TOKEN = 8  # no prose is so thrifty; keeps a megabyte of text from being tokenized for 512 tokens

SPACE = "▁"
PIECE = re.compile(rf"{SPACE}*(?:[^\W\d_²]+|\d|(?:(?!{SPACE})[\W_²])+)|{SPACE}+")
WHOLE = re.compile(r".+", re.DOTALL)
SPECIAL = re.compile(r"(<unk>|<s>|</s>)")
BYTE = re.compile(r"<0x[0-9A-F]{2}>")

KNOWN_PIECES = 100_000
KNOWN_PIECE_LENGTH = 32


class WordLlamaEmbedder:
    """Mean of the static vectors of a text's tokens, at unit length.

    Args:
        cap_tokens: how many tokens of a text are read, at least 2; of a longer one the first and the last half.
            512 covers a prompt of about 400 words; reading fewer changes the quality of kNN estimates little and
            the cost in proportion.

    Raises:
        InputError: the `wordllama` wheel or one of its two files is missing, or the cap is below 2.
    """

    dimension: int

    def __init__(self, cap_tokens: int = CAP_TOKENS) -> None:
        at_least("embedder 'wordllama'", "cap_tokens", cap_tokens, 2)
        folder = _wheel_folder()
        self._cap = cap_tokens
        self._vectors = load_file(_only(folder, "weights/l2_supercat_256.safetensors"))["embedding.weight"].astype(
            np.float32
        )
        self._pieces = _KnownPieces(_only(folder, "tokenizers/l2_supercat_tokenizer_config.json"))
        self.dimension = int(self._vectors.shape[1])
        self.name = f"wordllama/l2_supercat-{self.dimension}/cap={cap_tokens}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, 256], see `Embedder.embed`."""
        return embed_visible(texts, self.dimension, self._sums)

    def _sums(self, texts: list[str]) -> NDArray[np.float32]:
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            tokens = np.array(self.tokens(text), dtype=np.intp)
            np.add.reduce(self._vectors[tokens], axis=0, out=out[row])
        return out

    def tokens(self, text: str) -> list[int]:
        """The token numbers that are read of a text: at most the cap, from both ends of a longer one."""
        text = ends(well_formed(text), CHARACTERS_PER_TOKEN * self._cap)
        found = self._pieces.tokens(text)
        if len(found) <= self._cap:
            return found
        head = (self._cap + 1) // 2
        return found[:head] + found[head - self._cap :]


class _KnownPieces(dict[str, list[int]]):
    """Token numbers of the pieces met so far; a piece not met before is given to the tokenizer.

    Bounded: at `KNOWN_PIECES` it forgets everything and starts again, and it never keeps a very long piece.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.normalizer = None
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self._special = {name: vocabulary[name] for name in ("<unk>", "<s>", "</s>")}
        self._cut = (PIECE if _no_token_is_cut(vocabulary, PIECE) else WHOLE).findall

    def tokens(self, text: str) -> list[int]:
        """Token numbers of a text, the same as the tokenizer's own for the whole text."""
        if "<" not in text:
            return self._of_plain(text)
        return [token for part in SPECIAL.split(text) if part for token in self._of_part(part)]

    def _of_part(self, part: str) -> Iterable[int]:
        return (self._special[part],) if part in self._special else self._of_plain(part)

    def _of_plain(self, text: str) -> list[int]:
        if not text:
            return []
        # a leading space and a visible sign for spaces are what the tokenizer's own normalizer would do
        pieces = self._cut(SPACE + text.replace(" ", SPACE))
        return list(chain.from_iterable(map(self.__getitem__, pieces)))

    def __missing__(self, piece: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(piece, add_special_tokens=False).ids
        if len(piece) <= KNOWN_PIECE_LENGTH:
            if len(self) >= KNOWN_PIECES:
                self.clear()
            self[piece] = found
        return found


def _no_token_is_cut(vocabulary: Iterable[str], cut: re.Pattern[str]) -> bool:
    """Whether every token is one whole piece: then pieces can be tokenized one by one without changing a thing.

    Pair merging only ever builds tokens of the vocabulary, so it never reaches across a border that none spans.
    """
    plain = (token for token in vocabulary if not (SPECIAL.fullmatch(token) or BYTE.fullmatch(token)))
    return all(cut.fullmatch(token) for token in plain)


def _wheel_folder() -> Path:
    found = find_spec("wordllama")
    if found is None or found.origin is None:
        raise InputError(
            "the package 'wordllama' is not installed", place="embedder 'wordllama'", remedy="pip install wordllama"
        )
    return Path(found.origin).parent


def _only(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"the installed 'wordllama' has no file {name}",
            place="embedder 'wordllama'",
            remedy="pip install --force-reinstall 'wordllama>=0.4.0'",
        )
    return path
