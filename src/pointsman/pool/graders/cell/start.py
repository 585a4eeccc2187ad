"""Starts the warden in a bare interpreter (`python -I -S start.py`) without importing the package itself.

The packages above this folder get empty stand-ins, so that the files of this folder import each other by their full
names and nothing else is loaded: an interpreter is up in a few hundredths of a second.
"""

from __future__ import annotations

import sys
from types import ModuleType

PACKAGE = "pointsman.pool.graders.cell"


def stand_in(folder: str) -> None:
    """Empty modules for the packages; the last one finds its files in `folder`."""
    parts = PACKAGE.split(".")
    for depth in range(1, len(parts) + 1):
        module = ModuleType(".".join(parts[:depth]))
        module.__path__ = [folder] if depth == len(parts) else []
        sys.modules[module.__name__] = module


if __name__ == "__main__":
    stand_in(__file__.rpartition("/")[0])
    from pointsman.pool.graders.cell.warden import main

    main()
