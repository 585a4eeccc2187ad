"""The one error that a person is meant to read.

Every refusal of bad input, anywhere in the package, is an `InputError`: it names the thing, the place and the
remedy. The command line prints it on one screen and exits with code 2. It carries no stack and no prompt text.
"""

from __future__ import annotations


class InputError(ValueError):
    """Something given to Pointsman cannot be used.

    Args:
        what: what is wrong, one sentence without a final stop.
        place: where: a file, a row and column, an option, an environment variable.
        remedy: what to do about it, one sentence without a final stop.
    """

    def __init__(self, what: str, *, place: str = "", remedy: str = "") -> None:
        self.what = what
        self.place = place
        self.remedy = remedy
        super().__init__(self.__str__())

    def __str__(self) -> str:
        text = f"{self.place}: {self.what}" if self.place else self.what
        return f"{text}; {self.remedy}." if self.remedy else f"{text}."

    def __reduce__(self) -> tuple[object, ...]:
        """Survives the way back from a worker process whole."""
        return _rebuilt, (self.what, self.place, self.remedy)


def _rebuilt(what: str, place: str, remedy: str) -> InputError:
    return InputError(what, place=place, remedy=remedy)
