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
    "characters",
    *(f"{name}_log" for name, _ in _CLASSES),
    *(f"{name}_share" for name, _ in _CLASSES),
    *_WORD_NAMES,
    *_LINE_NAMES,
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


# Places in the tally of words, and in that of lines.
_WORDS, _LETTERS, _LONGEST, _LONG, _SHORT, _CAPITAL, _SHOUT, _NUMBERS, _DIGITS, _LONGEST_NUMBER, _DECIMALS, _NEW = (
    range(12)
)
_LINES, _BLANK, _INDENTED, _WIDEST, _LAST, _OPTIONS, _OPTION_SUM, _OPTION_MAX, _NUMERIC, _BEFORE, _LETTERED = range(11)
_SEEN_BITS = 4096


@numba.njit(cache=True, nogil=True)
def _count_words(text: Bytes, kinds: Bytes, out: Float32s) -> None:
    """Runs of letters are words, runs of digits numbers; distinct words by linear counting in 4,096 bits."""
    tally = np.zeros(12, np.int64)
    seen = np.zeros(_SEEN_BITS, np.uint8)
    i, n = 0, len(text)
    while i < n:
        kind, begin = kinds[text[i]], i
        i += 1
        if kind == _OTHER:
            continue
        while i < n and kinds[text[i]] == kind:
            i += 1
        if kind == _DIGIT:
            _note_number(text, begin, i, kinds, tally)
        else:
            _note_word(text, begin, i, tally, seen)
    _write_words(tally, text[0], out)


@numba.njit(cache=True, nogil=True)
def _note_number(text: Bytes, begin: int, end: int, kinds: Bytes, tally: NDArray[np.int64]) -> None:
    tally[_NUMBERS] += 1
    tally[_DIGITS] += end - begin
    tally[_LONGEST_NUMBER] = max(tally[_LONGEST_NUMBER], end - begin)
    tally[_DECIMALS] += begin > 1 and text[begin - 1] == 46 and kinds[text[begin - 2]] == _DIGIT


@numba.njit(cache=True, nogil=True)
def _note_word(text: Bytes, begin: int, end: int, tally: NDArray[np.int64], seen: Bytes) -> None:
    code = np.uint32(2166136261)
    capitals = 0
    for i in range(begin, end):
        byte = np.uint32(text[i])
        if 65 <= byte <= 90:
            capitals += 1
            byte += np.uint32(32)
        code = np.uint32((code ^ byte) * np.uint32(16777619))
    length = end - begin
    tally[_WORDS] += 1
    tally[_LETTERS] += length
    tally[_LONGEST] = max(tally[_LONGEST], length)
    tally[_LONG] += length > 8
    tally[_SHORT] += length < 4
    tally[_CAPITAL] += 65 <= text[begin] <= 90
    tally[_SHOUT] += capitals == length and length > 1
    slot = np.int64(code ^ (code >> np.uint32(16))) & (_SEEN_BITS - 1)
    tally[_NEW] += 1 - seen[slot]
    seen[slot] = 1


@numba.njit(cache=True, nogil=True)
def _write_words(tally: NDArray[np.int64], first: int, out: Float32s) -> None:
    words, at = max(tally[_WORDS], 1), _WORDS_AT
    out[at] = np.log1p(tally[_WORDS])
    out[at + 1] = tally[_LETTERS] / words
    out[at + 2] = np.log1p(tally[_LONGEST])
    out[at + 3] = tally[_LONG] / words
    out[at + 4] = tally[_SHORT] / words
    out[at + 5] = tally[_CAPITAL] / words
    out[at + 6] = tally[_SHOUT] / words
    out[at + 7] = np.log1p(tally[_NUMBERS])
    out[at + 8] = np.log1p(tally[_LONGEST_NUMBER])
    out[at + 9] = tally[_DIGITS] / max(tally[_NUMBERS], 1)
    out[at + 10] = np.log1p(tally[_DECIMALS])
    out[at + 11] = tally[_NEW] / words
    out[at + 12] = 65 <= first <= 90


@numba.njit(cache=True, nogil=True)
def _count_lines(text: Bytes, kinds: Bytes, out: Float32s) -> None:
    tally = np.zeros(11, np.int64)
    begin, n = 0, len(text)
    while begin <= n:
        end = begin
        while end < n and text[end] != 10:
            if text[end] == 41 and end - begin >= 2 and text[end - 2] == 40:
                tally[_LETTERED] += kinds[text[end - 1]] == _LETTER
            end += 1
        _note_line(text, begin, end, kinds, tally)
        begin = end + 1
    if tally[_OPTIONS] == 0:
        tally[_BEFORE] = n
    _write_lines(tally, out)
    _write_end(text, kinds, out)


@numba.njit(cache=True, nogil=True)
def _note_line(text: Bytes, begin: int, end: int, kinds: Bytes, tally: NDArray[np.int64]) -> None:
    i = _skip(text, begin, end)
    tally[_LINES] += 1
    tally[_BLANK] += i == end
    tally[_INDENTED] += i > begin
    tally[_WIDEST] = max(tally[_WIDEST], end - begin)
    if i == end:
        return
    tally[_LAST] = end - begin
    own = _option_at(text, i, end, kinds)
    if own == 0 and i + 8 < end and text[i] == 79 and text[i + 7] == 58:
        own = _option_at(text, i + 9, end, kinds)  # "Options: A. ..." on one line
    if own > 0:
        _note_option(text, begin, _skip(text, own, end), end, kinds, tally)


@numba.njit(cache=True, nogil=True)
def _skip(text: Bytes, i: int, end: int) -> int:
    """Where the blanks from `i` on end."""
    while i < end and (text[i] == 32 or text[i] == 9):
        i += 1
    return i


@numba.njit(cache=True, nogil=True)
def _option_at(text: Bytes, i: int, end: int, kinds: Bytes) -> int:
    """Where an option's own text begins if the line from `i` reads like `A.`, `b)`, `(C)` or `(1)`, else 0."""
    bracket = i < end and text[i] == 40
    if bracket:
        i += 1
    if i + 1 >= end or kinds[text[i]] == _OTHER or text[i] >= 0x80:
        return 0
    mark = text[i + 1]
    if mark == 41 or (not bracket and mark in (46, 58)):
        return i + 2
    return 0


@numba.njit(cache=True, nogil=True)
def _note_option(text: Bytes, begin: int, own: int, end: int, kinds: Bytes, tally: NDArray[np.int64]) -> None:
    if tally[_OPTIONS] == 0:
        tally[_BEFORE] = begin
    tally[_OPTIONS] += 1
    tally[_OPTION_SUM] += end - own
    tally[_OPTION_MAX] = max(tally[_OPTION_MAX], end - own)
    tally[_NUMERIC] += own < end and (kinds[text[own]] == _DIGIT or text[own] in (36, 45))


@numba.njit(cache=True, nogil=True)
def _write_lines(tally: NDArray[np.int64], out: Float32s) -> None:
    options, at = max(tally[_OPTIONS], 1), _LINES_AT
    for place in (_LINES, _BLANK, _INDENTED, _WIDEST, _LAST):
        out[at + place] = np.log1p(tally[place])
    out[at + 5] = tally[_OPTIONS]
    out[at + 6] = np.log1p(tally[_OPTION_SUM] / options)
    out[at + 7] = np.log1p(tally[_OPTION_MAX])
    out[at + 8] = tally[_NUMERIC] / options
    out[at + 9] = np.log1p(tally[_BEFORE])
    out[at + 10] = np.log1p(tally[_LETTERED])


@numba.njit(cache=True, nogil=True)
def _write_end(text: Bytes, kinds: Bytes, out: Float32s) -> None:
    """What the text's last sign is: question mark, colon, full stop, digit."""
    stop = len(text) - 1
    while stop > 0 and (text[stop] == 32 or text[stop] == 10):
        stop -= 1
    at = _LINES_AT + 11
    out[at] = text[stop] == 63
    out[at + 1] = text[stop] == 58
    out[at + 2] = text[stop] == 46
    out[at + 3] = kinds[text[stop]] == _DIGIT
