"""Runs a job of the cell in a locked-down child process and says what came of it, and which locks were in force.

Takes a job's name, the reply's part and the probe's; gives a `Run`. It refuses, and runs nothing, where the locks
that the job needs aren't to be had: limits, no new privileges and the kernel's filter of system calls, which alone
leaves no files, no network and no processes. The others (namespaces, Landlock, an empty root, no privileges) are
further walls around the same, put up where the machine allows it. Linux on x86-64 or ARM64.

It keeps no state but the answer of `layers`, so threads may grade side by side.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

Job = Literal["code", "sql", "pattern"]
START = Path(__file__).parent / "cell" / "start.py"
SPACES = ("own network", "own processes", "own ipc")
LAYERS = (*SPACES, "empty root", "no privileges", "no new privileges", "landlock", "limits", "seccomp")
NEEDED: Mapping[Job, tuple[str, ...]] = {
    "code": ("limits", "no new privileges", "seccomp"),
    "sql": ("limits", "no new privileges", "seccomp"),
    # The text is only searched, never run, and the pattern is the probe's own: all it takes is an end.
    "pattern": ("limits",),
}
# What starting up and ending may take on a busy machine, beyond the time that the job itself is given.
SLACK_S = 10.0
# The first process of a namespace gets the second signal only; nothing else in a cell sends either.
OUT_OF_TIME = {"SIGXCPU", "SIGKILL"}
MOST_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a job may take.

    Attributes:
        cpu_s: processor seconds, whole.
        wall_s: seconds on the clock, for a job that only waits.
        memory_mb: beyond the interpreter's own.
    """

    cpu_s: int = 5
    wall_s: float = 15.0
    memory_mb: int = 256


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a job.

    Attributes:
        verdict: what the job found; None where it came to none.
        why: why there is no verdict, "" where there is one.
        refused: nothing of the reply's was run, so nothing is known about it.
        layers: the locks that were in force, in the order of `LAYERS`.
        ended: how the workers ended by themselves, by name; "" for one that was ended from outside.
    """

    verdict: Mapping[str, Any] | None
    why: str = ""
    refused: bool = False
    layers: tuple[str, ...] = ()
    ended: Mapping[str, str] = field(default_factory=dict)


@cache
def layers() -> tuple[str, ...]:
    """The locks that are in force on this machine; () where code can't be run here at all."""
    return run("sql", "select 1", {"schema": "", "answer": "select 1", "ordered": True}, Bounds()).layers


def run(job: Job, subject: str, asked: Mapping[str, Any], bounds: Bounds, tried: Collection[str] = LAYERS) -> Run:
    """Runs one job.

    Args:
        job: which.
        subject: the reply's part: code, a query or a text.
        asked: the probe's part; for code, it reaches no process that runs the reply's.
        bounds: how much it may take.
        tried: the locks to try; all of them but in tests of single ones.
    """
    if sys.platform != "linux" and job != "pattern":
        return Run(None, "a reply's code is run on Linux only", refused=True)
    if len(subject) > MOST_CHARACTERS:
        return Run({"passed": 0, "right": False, "why": f"more than {MOST_CHARACTERS} characters"})
    bars = {"wanted": list(tried), "needed": NEEDED[job], "cpu_s": bounds.cpu_s, "memory_mb": bounds.memory_mb}
    header = {"job": job, "wall_s": bounds.wall_s, "bars": bars}
    frames = [json.dumps(header).encode(), subject.encode("utf-8", "surrogatepass"), json.dumps(dict(asked)).encode()]
    try:
        found = json.loads(_asked_of_a_warden(frames, bounds.wall_s + SLACK_S))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Run(None, f"the locked-down process couldn't be run ({type(error).__name__})", refused=True)
    return _read(found, bounds)


def _asked_of_a_warden(frames: list[bytes], most_s: float) -> bytes:
    """What a warden prints: in a session of its own, with no environment, none of our files, in an empty folder."""
    command = [sys.executable, "-I", "-S", str(START)]
    with TemporaryDirectory(prefix="cell-") as empty:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=empty,
            start_new_session=True,
        )
        try:
            return process.communicate(b"".join(len(one).to_bytes(4, "big") + one for one in frames), most_s)[0]
        finally:
            # The session's group, by its number, while its leader isn't yet reaped and nobody else can have it.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _read(found: Mapping[str, Any], bounds: Bounds) -> Run:
    """A run from what the warden printed."""
    verdict, ended = found["verdict"], found["ended"]
    if verdict is None:
        return Run(None, _no_verdict(found, bounds), ended=ended, refused=not found["late"] and _untouched(ended))
    if "refused" in verdict:
        return Run(None, verdict["refused"], refused=True, ended=ended)
    force = {*found["spaces"], *verdict.get("locked", ())}
    why = "out of processor time" if verdict.get("gone") and OUT_OF_TIME & {*ended.values()} else ""
    return Run(verdict, why, layers=tuple(name for name in LAYERS if name in force), ended=ended)


def _no_verdict(found: Mapping[str, Any], bounds: Bounds) -> str:
    if found["late"]:
        return f"no end within {bounds.wall_s:g} s"
    ended = [how for how in found["ended"].values() if how]
    return "out of processor time" if OUT_OF_TIME & {*ended} else f"it ended without a verdict ({', '.join(ended)})"


def _untouched(ended: Mapping[str, str]) -> bool:
    """Whether the process that grades failed by itself: then nothing is known about the reply."""
    return "exit 70" in (ended.get("tests"), ended.get("job"))
