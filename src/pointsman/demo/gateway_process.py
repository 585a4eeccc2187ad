"""The gateway as a child of the demo: python -m pointsman.demo.gateway_process

It is `pointsman serve` with two things added: it is started before there is a configuration, whose path is the first
line of standard input, and it ends when standard input ends, so that nothing is left of a demo that was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from pointsman.errors import InputError
from pointsman.serve.server import serve


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serves until told to stop, or until nobody is there to tell it."""
    path = sys.stdin.buffer.readline().decode().strip()
    if not path:
        return
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(Path(path))
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
