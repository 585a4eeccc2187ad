"""The one error that a person is meant to read."""

from __future__ import annotations

import pickle

from pointsman.errors import InputError


def test_names_place_thing_and_remedy() -> None:
    """The sentence says where, what and what to do; parts that aren't given leave no trace."""
    assert (
        str(InputError("it is empty", place="a.csv, row 3", remedy="fill it")) == "a.csv, row 3: it is empty; fill it."
    )
    assert str(InputError("it is empty")) == "it is empty."


def test_survives_a_worker_process() -> None:
    """Pickled and read back it says the same, with its parts."""
    error = InputError("it is empty", place="a.csv", remedy="fill it")
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.what, back.place, back.remedy) == (str(error), "it is empty", "a.csv", "fill it")
