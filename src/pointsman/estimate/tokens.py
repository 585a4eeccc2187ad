"""Words of a text, hashed, and counts of those that a history uses often.

A token is a run of letters, a run of digits, or one other sign; letter case is dropped. Besides, each text has five
tokens of place: its first three and its last one. `fit_vocabulary` keeps the tokens that enough (but not nearly all)
of the history's texts use; `Vocabulary.counts` counts those in new texts. Only hashes are kept, never words, so a
vocabulary reveals no text. Collisions of the 32-bit hashes are accepted: at 4,000 kept tokens one new token in a
million is taken for another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from pointsman.estimate.features import KINDS, Bytes

MAX_TOKENS = 3_000
LEAST_SHARE = 0.003
LEAST_TEXTS = 5
MOST_SHARE = 0.9

Codes = NDArray[np.uint32]
Ints32 = NDArray[np.int32]


@dataclass(frozen=True)
class Vocabulary:
    """Which hashed tokens are counted.

    Attributes:
        slots: uint32, a power of two of them: an open-addressing table of token codes.
        columns: int32, the column of the code in the same slot, -1 for an empty slot.
        size: V, how many tokens are counted.
    """

    slots: Codes
    columns: Ints32
    size: int

    def counts(self, buffer: Bytes, starts: NDArray[np.int64]) -> Bytes:
        """How often each counted token occurs, uint8 [Q, V] (255 means 255 or more); input as `features.joined`."""
        out = np.zeros((len(starts) - 1, self.size), np.uint8)
        if self.size > 0:
            _count(buffer, starts, KINDS, self.slots, self.columns, out)
        return out


def fit_vocabulary(buffer: Bytes, starts: NDArray[np.int64], limit: int = MAX_TOKENS) -> Vocabulary:
    """The at most `limit` most widely used tokens, without those in fewer than 0.3 % (or 5) or over 90 % of texts."""
    n = len(starts) - 1
    codes, texts = _document_frequency(buffer, starts)
    wide = np.flatnonzero((texts >= max(LEAST_TEXTS, LEAST_SHARE * n)) & (texts <= MOST_SHARE * n))
    kept = wide[np.argsort(-texts[wide], kind="stable")][:limit]
    slots, columns = _table(codes[kept])
    return Vocabulary(slots, columns, len(kept))


def _document_frequency(buffer: Bytes, starts: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
    """Every distinct code, ascending, and in how many texts it occurs."""
    room = len(buffer) + 4 * len(starts)
    codes, rows = np.empty(room, np.uint32), np.empty(room, np.uint32)
    n = _list(buffer, starts, KINDS, codes, rows)
    found, texts = _tally(codes[:n], rows[:n])
    order = np.argsort(found)
    return found[order], texts[order]


def _table(codes: Codes) -> tuple[Codes, Ints32]:
    size = 16
    while size < 4 * len(codes):
        size *= 2
    slots, columns = np.zeros(size, np.uint32), np.full(size, -1, np.int32)
    _fill(codes, slots, columns)
    return slots, columns


@numba.njit(cache=True, nogil=True)
def _fill(codes: Codes, slots: Codes, columns: Ints32) -> None:
    for column in range(len(codes)):
        slot = np.int64(codes[column]) & (len(slots) - 1)
        while columns[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot], columns[slot] = codes[column], column


@numba.njit(cache=True, nogil=True)
def _column(code: np.uint32, slots: Codes, columns: Ints32) -> int:
    slot = np.int64(code) & (len(slots) - 1)
    while columns[slot] >= 0:
        if slots[slot] == code:
            return int(columns[slot])
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@numba.njit(cache=True, nogil=True)
def _next(text: Bytes, i: int, kinds: Bytes) -> tuple[int, np.uint32]:
    """The end and code of the token at or after `i`; an end of -1 when there is none (FNV-1a over lower case)."""
    n = len(text)
    while i < n and (text[i] == 32 or 9 <= text[i] <= 13):
        i += 1
    if i == n:
        return -1, np.uint32(0)
    kind = kinds[text[i]]
    code = np.uint32(2166136261)
    begin = i
    while i < n and kinds[text[i]] == kind and (kind != 0 or i == begin):
        byte = np.uint32(text[i])
        if 65 <= byte <= 90:
            byte += np.uint32(32)
        code = np.uint32((code ^ byte) * np.uint32(16777619))
        i += 1
    return i, code


@numba.njit(cache=True, nogil=True)
def _placed(code: np.uint32, place: int) -> np.uint32:
    """The code of `code` at a place: 0, 1, 2 from the front, 3 for the end."""
    return np.uint32((code ^ np.uint32(place + 1)) * np.uint32(2654435761))


@numba.njit(cache=True, nogil=True)
def _list(buffer: Bytes, starts: NDArray[np.int64], kinds: Bytes, codes: Codes, rows: Codes) -> int:
    n = 0
    for q in range(len(starts) - 1):
        text = buffer[starts[q] : starts[q + 1]]
        seen = 0
        end, code = _next(text, 0, kinds)
        while end >= 0:
            codes[n], rows[n] = code, q
            n += 1
            if seen < 3:
                codes[n], rows[n] = _placed(code, seen), q
                n += 1
            seen += 1
            last = code
            end, code = _next(text, end, kinds)
        if seen > 0:
            codes[n], rows[n] = _placed(last, 3), q
            n += 1
    return n


@numba.njit(cache=True, nogil=True)
def _tally(codes: Codes, rows: Codes) -> tuple[Codes, NDArray[np.int64]]:
    """Every distinct code, in no order, and in how many rows it is; the rows rise."""
    keys, texts, last = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.uint32)
    used = 0
    for code, row in zip(codes, rows):  # noqa: B905 (numba knows no `strict`)
        if 2 * used >= len(keys):
            keys, texts, last = _wider(keys, texts, last)
        slot = _slot(code, keys, texts)
        if texts[slot] == 0:
            keys[slot] = code
            used += 1
        elif last[slot] == row:
            continue
        texts[slot] += 1
        last[slot] = row
    there = np.flatnonzero(texts)
    return keys[there], texts[there]


@numba.njit(cache=True, nogil=True)
def _slot(code: np.uint32, keys: Codes, texts: NDArray[np.int64]) -> int:
    """Where a code is, or the empty slot where it belongs."""
    slot = np.int64(code) & (len(keys) - 1)
    while texts[slot] > 0 and keys[slot] != code:
        slot = (slot + 1) & (len(keys) - 1)
    return int(slot)


@numba.njit(cache=True, nogil=True)
def _wider(keys: Codes, texts: NDArray[np.int64], last: Codes) -> tuple[Codes, NDArray[np.int64], Codes]:
    """The same table with twice the slots."""
    size = 2 * len(keys)
    codes, counts, latest = np.zeros(size, np.uint32), np.zeros(size, np.int64), np.zeros(size, np.uint32)
    for old in np.flatnonzero(texts):
        slot = _slot(keys[old], codes, counts)
        codes[slot], counts[slot], latest[slot] = keys[old], texts[old], last[old]
    return codes, counts, latest


@numba.njit(cache=True, nogil=True)
def _add(code: np.uint32, slots: Codes, columns: Ints32, out: Bytes) -> None:
    column = _column(code, slots, columns)
    if column >= 0 and out[column] < 255:
        out[column] += 1


@numba.njit(cache=True, nogil=True)
def _count(buffer: Bytes, starts: NDArray[np.int64], kinds: Bytes, slots: Codes, columns: Ints32, out: Bytes) -> None:
    for q in range(len(starts) - 1):
        text = buffer[starts[q] : starts[q + 1]]
        seen = 0
        end, code = _next(text, 0, kinds)
        while end >= 0:
            _add(code, slots, columns, out[q])
            if seen < 3:
                _add(_placed(code, seen), slots, columns, out[q])
            seen += 1
            last = code
            end, code = _next(text, end, kinds)
        if seen > 0:
            _add(_placed(last, 3), slots, columns, out[q])
