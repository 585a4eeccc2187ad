"""The `pointsman` command for tests that call it often: loaded once, forked for each call, else as it is.

    with warm_program(folder) as shim: ...        `shim` is a script to be called like `pointsman`

A call gets the caller's arguments, folder, environment, standard input, output and error; its exit code is the
command's. What is saved is the loading of numerical libraries, a second or two of processor time a call. The process
that is forked has no threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SHIM = """#!{python} -SE
import array, json, os, socket, sys
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    fds = array.array("i", [0, 1, 2])
    line.sendmsg([len(told).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    line.sendall(told)
    sys.exit(line.recv(1)[0])
"""


@contextlib.contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """The shim's path, for the length of a block."""
    address, shim = folder / "program", folder / "pointsman"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        program = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env={**os.environ, **one_thread},
        )
    shim.write_text(SHIM.format(python=sys.executable, address=str(address)))
    shim.chmod(0o755)
    try:
        yield shim
    finally:
        program.terminate()
        program.wait(10)


def answer(listener: socket.socket) -> None:
    """Forks for each call, one after the other, for ever."""
    while True:
        line, _ = listener.accept()
        with line:
            head, fds, _, _ = socket.recv_fds(line, 4, 3)
            told = b""
            while len(told) < int.from_bytes(head, "big"):
                told += line.recv(65_536)
            child = os.fork()
            if child == 0:
                listener.close()
                arguments, cwd, environ = json.loads(told)
                _become(arguments, cwd, environ, fds)
            for fd in fds:
                os.close(fd)
            _, status = os.waitpid(child, 0)
            with contextlib.suppress(OSError):  # the caller may have been ended
                line.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))


def _become(arguments: list[str], folder: str, environ: dict[str, str], fds: list[int]) -> None:
    """One call, in the child; doesn't return."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[:] = ["pointsman", *arguments]
    code: object = 1
    try:
        import_module("pointsman.cli").main()
        code = 0
    except SystemExit as end:
        code = end.code if end.code is not None else 0
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def load() -> None:
    """Every command's module, and what they load only when they are called."""
    commands = import_module("pointsman.cli").COMMANDS
    for name in (*(f"pointsman.cli.{one}" for one in commands), "pointsman.estimate.embedders", "matplotlib.figure"):
        import_module(name)


if __name__ == "__main__":
    load()
    answer(socket.socket(fileno=int(sys.argv[1])))
