"""Who still lives: every worker holds a lock on a file of its own as long as its process runs, however it ends.

Takes the state folder; gives this worker's name, and which of other names belong to nobody any more, so that the
holds of a worker that was killed can be ended. A number of a process that was given away again can't mislead it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO


class Owner:
    """A worker's name and lock.

    Attributes:
        name: unique for ever.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "workers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._file: BinaryIO = (self._folder / self.name).open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def dead(self, names: Collection[str]) -> set[str]:
        """Those of `names` whose process has ended."""
        return {name for name in set(names) - {self.name} if not self._lives(name)}

    def _lives(self, name: str) -> bool:
        path = self._folder / Path(name).name
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (FileNotFoundError, IsADirectoryError):  # a directory: the empty name, which is nobody's
            return False
        except BlockingIOError:
            return True
        path.unlink(missing_ok=True)
        return False

    def close(self) -> None:
        """Ends this name."""
        (self._folder / self.name).unlink(missing_ok=True)
        self._file.close()
