"""Surface features of a text: what a mean of word vectors forgets.

Counts, shapes and layout (length, digits, brackets, lines, options on offer, alphabet, casing), read in a few passes
over the text's UTF-8 bytes, about two nanoseconds a byte. Takes texts, gives float32 [Q, len(NAMES)]. Only the first
`MAX_CHARS` characters are read, so that one huge prompt cannot hold up the others; the length feature counts all.
Doesn't know any data set: no feature names a task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

MAX_CHARS = 16_384
MAX_WORDS = 4_096

# Classes of bytes that are counted, each as log(1 + count) and as a share of all bytes.
_CLASSES: tuple[tuple[str, bytes], ...] = (
    ("digits", b"0123456789"),
    ("upper", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("lower", b"abcdefghijklmnopqrstuvwxyz"),
    ("spaces", b" \t"),
    ("newlines", b"\n\r"),
    ("full_stops", b"."),
    ("commas", b","),
    ("colons", b":"),
    ("semicolons", b";"),
    ("questions", b"?"),
    ("exclamations", b"!"),
    ("apostrophes", b"'"),
    ("quotes", b'"'),
    ("round_brackets", b"()"),
    ("square_brackets", b"[]"),
    ("curly_brackets", b"{}"),
    ("dashes", b"-"),
    ("sums", b"+*/"),
    ("relations", b"=<>"),
    ("powers", b"^"),
    ("underscores", b"_"),
    ("backslashes", b"\\"),
    ("dollars", b"$"),
    ("percents", b"%"),
    ("code_marks", b"`#|&@~"),
    ("continuations", bytes(range(0x80, 0xC0))),
    ("latin_leads", bytes(range(0xC0, 0xCE))),
    ("greek_leads", b"\xce\xcf"),
    ("cyrillic_leads", bytes(range(0xD0, 0xD4))),
    ("semitic_leads", bytes(range(0xD4, 0xE0))),
    ("symbol_leads", b"\xe2"),
    ("other_three_leads", b"\xe0\xe1\xea\xeb\xec\xed\xee\xef"),
    ("cjk_leads", bytes(range(0xE3, 0xEA))),
    ("four_byte_leads", bytes(range(0xF0, 0x100))),
)
_WORD_NAMES = (
    "words",
    "mean_word_length",
    "longest_word",
    "long_words_share",
    "short_words_share",
    "capitalised_share",
    "shouted_share",
    "numbers",
    "longest_number",
    "mean_number_length",
    "decimals",
    "distinct_share",
    "first_word_upper",
)
_LINE_NAMES = (
    "lines",
    "blank_lines",
    "indented_lines",
    "longest_line",
    "last_line",
    "options",
    "options_mean_length",
    "options_longest",
    "options_numeric_share",
    "before_options",
    "lettered_brackets",
    "ends_with_question",
    "ends_with_colon",
    "ends_with_stop",
    "ends_with_digit",
)
NAMES: tuple[str, ...] = (
    ("characters",)
    + tuple(f"{name}_log" for name, _ in _CLASSES)
    + tuple(f"{name}_share" for name, _ in _CLASSES)
    + _WORD_NAMES
    + _LINE_NAMES
)

_N_CLASSES = len(_CLASSES)
_WORDS_AT = 1 + 2 * _N_CLASSES
_LINES_AT = _WORDS_AT + len(_WORD_NAMES)


def _class_table() -> NDArray[np.uint8]:
    table = np.full(256, _N_CLASSES, np.uint8)
    for i, (_, members) in enumerate(_CLASSES):
        table[list(members)] = i
    return table


_TABLE = _class_table()
_LETTER, _DIGIT, _OTHER = 1, 2, 0


def _kind_table() -> NDArray[np.uint8]:
    """Letter (any byte beyond ASCII counts as one), digit, or other."""
    kinds = np.zeros(256, np.uint8)
    kinds[ord("a") : ord("z") + 1] = _LETTER
    kinds[ord("A") : ord("Z") + 1] = _LETTER
    kinds[0x80:] = _LETTER
    kinds[ord("0") : ord("9") + 1] = _DIGIT
    return kinds


KINDS = _kind_table()

Bytes = NDArray[np.uint8]
Float32s = NDArray[np.float32]


def joined(texts: Sequence[str]) -> tuple[Bytes, NDArray[np.int64]]:
    """The texts' UTF-8 bytes end to end, and where each begins ([Q + 1])."""
    parts = [text[:MAX_CHARS].encode("utf-8", "replace") for text in texts]
    starts = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return np.frombuffer(b"".join(parts), np.uint8), starts


def surface(texts: Sequence[str]) -> Float32s:
    """Surface features of Q texts.

    Args:
        texts: any strings; an empty one gives zeros.

    Returns:
        float32 [Q, len(NAMES)], finite: counts as log(1 + count), shares in [0, 1], means plain.
    """
    return surface_of(texts, *joined(texts))


def surface_of(texts: Sequence[str], buffer: Bytes, starts: NDArray[np.int64]) -> Float32s:
    """`surface` of texts whose bytes are at hand already, as `joined` gives them."""
    out = np.zeros((len(texts), len(NAMES)), np.float32)
    out[:, 0] = np.log1p(np.array([len(text) for text in texts], np.float32))
    _scan(buffer, starts, _TABLE, KINDS, out)
    return out


@numba.njit(cache=True, nogil=True)
def _scan(buffer: Bytes, starts: NDArray[np.int64], table: Bytes, kinds: Bytes, out: Float32s) -> None:
    for q in range(len(starts) - 1):
        text = buffer[starts[q] : starts[q + 1]]
        if len(text) > 0:
            _count_classes(text, table, out[q])
            _count_words(text, kinds, out[q])
            _count_lines(text, kinds, out[q])


@numba.njit(cache=True, nogil=True)
def _count_classes(text: Bytes, table: Bytes, out: Float32s) -> None:
    counts = np.zeros(_N_CLASSES + 1, np.int64)
    for byte in text:
        counts[table[byte]] += 1
    for c in range(_N_CLASSES):
        out[1 + c] = np.log1p(counts[c])
        out[1 + _N_CLASSES + c] = counts[c] / len(text)


@numba.njit(cache=True, nogil=True)
def _count_words(text: Bytes, kinds: Bytes, out: Float32s) -> None:
    """Runs of letters are words, runs of digits numbers; distinct words by linear counting in 4,096 bits."""
    n_words = n_long = n_short = n_capital = n_shout = n_numbers = n_decimals = 0
    sum_word = max_word = sum_number = max_number = 0
    seen = np.zeros(4096, np.uint8)
    n_seen = 0
    i, n = 0, len(text)
    while i < n:
        kind = kinds[text[i]]
        begin = i
        if kind == _OTHER:
            i += 1
            continue
        code = np.uint32(2166136261)
        uppers = 0
        while i < n and kinds[text[i]] == kind:
            byte = text[i]
            if 65 <= byte <= 90:
                uppers += 1
                byte += 32
            code = (code ^ np.uint32(byte)) * np.uint32(16777619)
            i += 1
        length = i - begin
        if kind == _DIGIT:
            n_numbers += 1
            sum_number += length
            max_number = max(max_number, length)
            if begin > 1 and text[begin - 1] == 46 and kinds[text[begin - 2]] == _DIGIT:
                n_decimals += 1
            continue
        n_words += 1
        sum_word += length
        max_word = max(max_word, length)
        n_long += length > 8
        n_short += length < 4
        n_capital += 65 <= text[begin] <= 90
        n_shout += uppers == length and length > 1
        slot = (code ^ (code >> 16)) & 4095
        n_seen += 1 - seen[slot]
        seen[slot] = 1
    words = max(n_words, 1)
    at = _WORDS_AT
    out[at] = np.log1p(n_words)
    out[at + 1] = sum_word / words
    out[at + 2] = np.log1p(max_word)
    out[at + 3] = n_long / words
    out[at + 4] = n_short / words
    out[at + 5] = n_capital / words
    out[at + 6] = n_shout / words
    out[at + 7] = np.log1p(n_numbers)
    out[at + 8] = np.log1p(max_number)
    out[at + 9] = sum_number / max(n_numbers, 1)
    out[at + 10] = np.log1p(n_decimals)
    out[at + 11] = n_seen / words
    out[at + 12] = 1.0 if 65 <= text[0] <= 90 else 0.0


@numba.njit(cache=True, nogil=True)
def _option_at(text: Bytes, i: int, end: int, kinds: Bytes) -> int:
    """Where an option's own text begins if the line from `i` reads like `A.`, `b)`, `(C)` or `(1)`, else 0."""
    bracket = i < end and text[i] == 40
    if bracket:
        i += 1
    if i + 1 >= end or kinds[text[i]] == _OTHER or text[i] >= 0x80:
        return 0
    mark = text[i + 1]
    if mark == 41 or (not bracket and (mark == 46 or mark == 58)):
        return i + 2
    return 0


@numba.njit(cache=True, nogil=True)
def _count_lines(text: Bytes, kinds: Bytes, out: Float32s) -> None:
    n = len(text)
    lines = blank = indented = options = numeric = brackets = 0
    longest = last = option_sum = option_max = before = 0
    begin = 0
    while begin <= n:
        end = begin
        while end < n and text[end] != 10:
            if text[end] == 41 and end - begin >= 2 and text[end - 2] == 40 and kinds[text[end - 1]] == _LETTER:
                brackets += 1
            end += 1
        i = begin
        while i < end and (text[i] == 32 or text[i] == 9):
            i += 1
        lines += 1
        blank += i == end
        indented += i > begin
        longest = max(longest, end - begin)
        if i < end:
            last = end - begin
        own = _option_at(text, i, end, kinds)
        if own == 0 and i + 8 < end and text[i] == 79 and text[i + 7] == 58:
            own = _option_at(text, i + 9, end, kinds)  # "Options: A. ..." on one line
        if own > 0:
            while own < end and text[own] == 32:
                own += 1
            if options == 0:
                before = begin
            options += 1
            option_sum += end - own
            option_max = max(option_max, end - own)
            numeric += own < end and (kinds[text[own]] == _DIGIT or text[own] == 36 or text[own] == 45)
        begin = end + 1
    at = _LINES_AT
    out[at] = np.log1p(lines)
    out[at + 1] = np.log1p(blank)
    out[at + 2] = np.log1p(indented)
    out[at + 3] = np.log1p(longest)
    out[at + 4] = np.log1p(last)
    out[at + 5] = options
    out[at + 6] = np.log1p(option_sum / max(options, 1))
    out[at + 7] = np.log1p(option_max)
    out[at + 8] = numeric / max(options, 1)
    out[at + 9] = np.log1p(before if options > 0 else n)
    out[at + 10] = np.log1p(brackets)
    stop = n - 1
    while stop > 0 and (text[stop] == 32 or text[stop] == 10):
        stop -= 1
    out[at + 11] = text[stop] == 63
    out[at + 12] = text[stop] == 58
    out[at + 13] = text[stop] == 46
    out[at + 14] = kinds[text[stop]] == _DIGIT
