"""One llama.cpp server as a process of its own: python llama.py FILE [SLOTS] [CONTEXT] [THREADS].

Prints its address on a line, and ends when standard input ends. Answers OpenAI's chat and text completions.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SLOTS = 4  # queries at once
CONTEXT_TOKENS = 4_096  # of one query, answer included
THREADS = 1  # more would wait for each other, busily, where cores are shared; several servers do better


@contextlib.contextmanager
def running_llama(weights: Path, slots: int = SLOTS, context: int = CONTEXT_TOKENS) -> Iterator[str]:
    """The address of a server that is ready, for the length of a block."""
    command = [sys.executable, str(Path(__file__)), str(weights), str(slots), str(context)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            address = next((line for line in process.stdout if line.startswith(b"http://")), b"")
            assert address, f"llama.cpp ended with code {process.wait(10)}"
            yield address.decode().strip()
        finally:
            process.kill()


def main() -> None:
    """Serves until standard input ends."""
    path, slots, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    xllamacpp = import_module("xllamacpp")  # only in the server's own process
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel = slots * context, slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print(f"\n{server.listening_address}", flush=True)
    sys.stdin.buffer.read()
    del server


if __name__ == "__main__":
    main()
