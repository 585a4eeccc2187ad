"""Starts a cell's workers, waits for the verdict, ends them, and says how they ended. It runs nobody's code itself.

Over its standard input come three frames: how to lock, the reply's code, query or text, and what it's graded by. The
process of the code is forked before the third is read, and has no pipe on which it could come. Over standard output
goes one JSON value.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from pointsman.pool.graders.cell import code, locks, pattern, sql, tester
from pointsman.pool.graders.cell.channel import Ended, read_exactly, read_frame, write_frame

FAILED = 70
# A worker closes its pipes a moment before it's gone; how it ended is known only then.
GRACE_MS = 20
MOST_VERDICT = 65_536


def main() -> None:
    """One job, from standard input to standard output."""
    header = json.loads(read_frame(0))
    subject = read_frame(0).decode("utf-8", "surrogatepass")
    spaces = locks.isolate(header["bars"]["wanted"])
    ends = time.monotonic() + header["wall_s"]
    begin = begin_code if header["job"] == "code" else begin_alone
    workers, asking, verdict = begin(header, subject)
    forward(asking)
    written = read_until(verdict, ends)
    # The first worker is the first process of its namespace, and can't end before the others there are waited for.
    ended = {name: end(pid) for name, pid in reversed(workers.items())}
    found = json.loads(written[4:]) if written else None
    print(json.dumps({"spaces": spaces, "verdict": found, "late": time.monotonic() >= ends, "ended": ended}))


def begin_code(header: dict[str, Any], subject: str) -> tuple[dict[str, int], int, int]:
    """The tests' process and the code's; the former is the first, so that in a process namespace both end with it."""
    tests, asking = os.pipe()
    verdict, verdict_in = os.pipe()
    code_reads, to_code = os.pipe()
    from_code, code_writes = os.pipe()
    pipes = {"tests": tests, "verdict": verdict_in, "from code": from_code, "to code": to_code}
    bars = header["bars"]
    workers = {
        "tests": spawn(lambda: tester.run(pipes, bars), pipes.values()),
        "code": spawn(lambda: code.run(subject, code_reads, code_writes, bars), (code_reads, code_writes)),
    }
    for file in (*pipes.values(), code_reads, code_writes):
        os.close(file)
    return workers, asking, verdict


def begin_alone(header: dict[str, Any], subject: str) -> tuple[dict[str, int], int, int]:
    """One process, for a job that runs no code of the reply's."""
    run = sql.run if header["job"] == "sql" else pattern.run
    asked, asking = os.pipe()
    verdict, verdict_in = os.pipe()
    bars = header["bars"]
    workers = {"job": spawn(lambda: alone(run, subject, asked, verdict_in, bars), (asked, verdict_in))}
    os.close(asked)
    os.close(verdict_in)
    return workers, asking, verdict


def alone(
    run: Callable[[str, dict[str, Any]], dict[str, Any]], subject: str, asked: int, verdict: int, bars: dict[str, Any]
) -> None:
    """Locks this process, does the job, and writes what came of it."""
    try:
        found: dict[str, Any] = {"locked": locks.lock(**bars)}
        found |= run(subject, json.loads(read_frame(asked)))
    except locks.Unlocked as error:
        found = {"refused": str(error)}
    write_frame(verdict, json.dumps(found).encode())


def spawn(run: Callable[[], None], keep: Any) -> int:
    """A worker with no files but those pipes; its standard streams lead nowhere."""
    pid = os.fork()
    if pid:
        return pid
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        kept, low = sorted(keep), 3
        for file in (*kept, os.sysconf("SC_OPEN_MAX")):
            os.closerange(low, file)
            low = file + 1
        run()
        os._exit(0)
    except BaseException:
        os._exit(FAILED)


def forward(asking: int) -> None:
    """Hands what the reply is graded by to the process that grades it."""
    try:
        size = int.from_bytes(read_exactly(0, 4), "big")
        write_frame(asking, read_exactly(0, size))
    except (Ended, OSError, ValueError):
        pass
    os.close(asking)


def read_until(file: int, ends: float) -> bytes:
    """All that is written until the writer closes; nothing where that isn't before the end of the time."""
    written = b""
    while len(written) < MOST_VERDICT:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([file], [], [], left)[0]:
            return b""
        part = os.read(file, MOST_VERDICT)
        if not part:
            return written
        written += part
    return b""


def end(pid: int) -> str:
    """Ends a worker and says how it had ended by itself: "", "exit 0", "SIGKILL" …"""
    done, status = 0, 0
    for _ in range(GRACE_MS):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.001)
    if not done:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return ""
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    sys.exit("start.py starts this")
