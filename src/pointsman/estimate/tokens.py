"""How many tokens a prompt has, where nobody counted.

A provider's own count is better and is used wherever it is given. Without one, four bytes of UTF-8 count as a token,
which is within about a tenth for English prose and errs on the high side for other scripts, where tokens are shorter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pointsman.records import Floats

BYTES_PER_TOKEN = 4.0


def count_tokens(texts: Sequence[str]) -> Floats:
    """float [Q]: estimated input tokens of each text, at least one."""
    return np.array([max(1.0, round(len(text.encode()) / BYTES_PER_TOKEN)) for text in texts], dtype=np.float64)
