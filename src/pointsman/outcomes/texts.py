"""What follows from a query's text alone: an id, and an estimate of its tokens.

Takes texts; gives ids and float64 counts. Tokenizes nothing, stores nothing, and never prints a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pointsman.records import Floats

CHARACTERS_PER_TOKEN = 4.0
"""How a text's tokens are estimated where nobody counted them: the usual rule of thumb for English."""


def prompt_id_of(text: str) -> str:
    """An id that follows from the text alone, so that two writers never give one text two ids or one id two texts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def token_estimates(texts: Sequence[str]) -> Floats:
    """Tokens of each text where nobody counted them: characters / 4, rounded up, at least one. Float [len(texts)]."""
    lengths = np.fromiter((len(text) for text in texts), np.float64, len(texts))
    return np.maximum(np.ceil(lengths / CHARACTERS_PER_TOKEN), 1.0)
