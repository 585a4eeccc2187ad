"""The process of the tests: runs them on what the code's process answers, and alone writes the verdict.

It's as locked as the code's. Each top-level statement is run by itself, so that the first failure doesn't hide the
others.
"""

from __future__ import annotations

import builtins
import json
from typing import Any

from pointsman.pool.graders.cell import locks
from pointsman.pool.graders.cell.channel import Ended, Message, read_frame, write_frame
from pointsman.pool.graders.cell.code import load_permitted
from pointsman.pool.graders.cell.proxies import Tester

MOST_TEXT = 300


def run(pipes: dict[str, int], bars: dict[str, Any]) -> None:
    """Locks this process, waits for the code to be loaded, runs the tests, and writes the verdict."""
    asked = json.loads(read_frame(pipes["tests"]))
    source = "\n".join(asked["statements"])
    tester = Tester(pipes["from code"], pipes["to code"], source)
    load_permitted(source)
    try:
        locks.lock(**bars)
        locked = tester.channel.receive()
        verdict = locked if "refused" in locked else {**locked, **judged(tester, asked)}
    except locks.Unlocked as error:
        verdict = {"refused": str(error)}
    except Ended:
        verdict = {"refused": "the code's process ended before it was locked"}
    write_frame(pipes["verdict"], json.dumps(verdict).encode())


def judged(tester: Tester, asked: Message) -> Message:
    """How many of the tests pass, and the first reason why not all do."""
    of = sum(asked["is_test"])
    try:
        names = defined(tester, asked["entry"])
    except Ended:
        return {"passed": 0, "of": of, "why": "it ended before its tests", "gone": True}
    except Exception as error:
        return {"passed": 0, "of": of, "why": f"it doesn't load: {shown(error)}"}
    if asked["entry"] and asked["entry"] not in names:
        return {"passed": 0, "of": of, "why": f"it defines no `{asked['entry']}`"}
    return tested(tester, asked, names)


def defined(tester: Tester, entry: str) -> dict[str, Any]:
    """The names that the code defines, as values and proxies; none of them hides a builtin from the tests.

    Raises:
        Ended: the code is gone.
        Exception: it couldn't be loaded.
    """
    found = tester.channel.receive()
    if "raise" in found:
        raise tester.error_of(found["raise"])
    names: dict[str, Any] = {}
    for name, one in sorted(found["names"].items(), key=lambda item: len(item[1].get("names", []))):
        if name == entry or not hasattr(builtins, name):
            names[name] = (
                tester.learn_error(one["error"], one["names"]) if "error" in one else tester.read(one["value"])
            )
    return names


def tested(tester: Tester, asked: Message, names: dict[str, Any]) -> Message:
    """Runs the statements one by one; a failure outside of a test, or the code's end, fails all that's left."""
    passed, why = 0, ""
    for statement, is_test in zip(asked["statements"], asked["is_test"], strict=True):
        try:
            exec(compile(statement, "<tests>", "exec"), names)  # noqa: S102 - the tests, in a process locked like the code's
            passed += bool(is_test) and not tester.channel.ended
        except BaseException as error:
            why = why or f"{statement[:MOST_TEXT]}: {shown(error)}"
            if not is_test or isinstance(error, Ended):
                break
    if tester.channel.ended:
        return {"passed": 0, "of": sum(asked["is_test"]), "why": why or "it ended during its tests", "gone": True}
    return {"passed": passed, "of": sum(asked["is_test"]), "why": why}


def shown(error: BaseException) -> str:
    """An error's class and text."""
    if isinstance(error, Ended):
        return "the code ended"
    try:
        return f"{type(error).__name__}: {error}"[:MOST_TEXT]
    except BaseException:
        return type(error).__name__
