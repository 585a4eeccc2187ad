"""What every index refuses: the checks of what goes into `add`, `remove` and `search`.

Pure functions over arrays; they hold nothing and know no backend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointsman.errors import InputError
from pointsman.estimate.embedder import lengths, unit_rows
from pointsman.records import Ints, Vectors


def checked_dimension(dimension: int) -> int:
    """A dimension of at least one.

    Raises:
        InputError: below one.
    """
    if dimension < 1:
        raise InputError(f"dimension is {dimension}", place="index", remedy="give the embedder's dimension")
    return dimension


def checked_vectors(vectors: ArrayLike, dimension: int) -> Vectors:
    """float32 [Q, D] at unit length (a zero row stays zero), rows one after the other in memory.

    Raises:
        InputError: not a table of numbers, another dimension, NaN or infinity; naming the row.
    """
    rows = np.asarray(vectors)
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise InputError(
            f"vectors of shape {rows.shape} and type {rows.dtype}",
            place="index",
            remedy="give a table of numbers, one row a vector",
        )
    if rows.shape[1] != dimension:
        raise InputError(
            f"vectors of dimension {rows.shape[1]}, the index has {dimension}",
            place="index",
            remedy="embed with the same embedder as the index was built with, or build the index anew",
        )
    length = lengths(rows)
    _refuse_infinite(length)
    return np.ascontiguousarray(unit_rows(rows, length))


def checked_ids(ids: ArrayLike, count: int | None = None) -> Ints:
    """int64 [N], at least zero, each once.

    Args:
        ids: whole numbers.
        count: how many there must be; None takes any number.

    Raises:
        InputError: not whole numbers, another count, below zero, or one twice; naming the first of them.
    """
    found = np.asarray(ids)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise InputError(
            f"ids of shape {found.shape} and type {found.dtype}", place="index", remedy="give a list of whole numbers"
        )
    if count is not None and len(found) != count:
        raise InputError(f"{len(found)} ids for {count} vectors", place="index", remedy="give one id a vector")
    found = found.astype(np.int64)
    if (found < 0).any():
        raise InputError(f"id {found[found < 0][0]} is below zero", place="index", remedy="give ids from zero up")
    _refuse_repeated(found)
    return found


def checked_k(k: int) -> int:
    """How many neighbours, at least one.

    Raises:
        InputError: below one.
    """
    if k < 1:
        raise InputError(f"k is {k}", place="index search", remedy="ask for at least one neighbour")
    return k


def duplicate_id(number: int) -> InputError:
    """The error for adding an id that is stored already."""
    return InputError(f"id {number} is in the index already", place="index", remedy="remove it first, or use a new id")


def unknown_id(number: int) -> InputError:
    """The error for removing an id that is not stored."""
    return InputError(f"id {number} is not in the index", place="index", remedy="remove only ids that were added")


def _refuse_infinite(length: NDArray[np.float64]) -> None:
    finite = np.isfinite(length)
    if not finite.all():
        raise InputError(
            "a vector with NaN or infinity",
            place=f"index, row {int(np.argmin(finite))}",
            remedy="leave the row out; a text without an embedding gets the zero vector",
        )


def _refuse_repeated(ids: Ints) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        raise InputError(
            f"id {values[counts > 1][0]} is given twice", place="index", remedy="give every id once a call"
        )
