"""The gateway as a child of the demo: python -m pointsman.demo.gateway_process CONFIG

It is `pointsman serve`, with one thing added: it ends when standard input ends, so that nothing is left of a demo that
was killed.
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
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(Path(sys.argv[1]))
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
