"""The reply's program passes the probe's tests, run in a locked-down process that never sees them; or isn't run.

`sandbox` says what holds the program. Where the locks aren't to be had, there is no grade.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from math import ceil
from threading import Lock
from typing import ClassVar

from pointsman.pool.graders import sandbox
from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import fenced, shortened, spoken

PYTHON = {"python", "py", "python3", "py3", "pycon", ""}
BEGINS = re.compile(r"^(?:def |class |import |from \w|@|async def |\w+\s*(?::\s*\w+\s*)?=[^=])", re.MULTILINE)
MOST_TRIMS = 40
# The list of warnings that are shown is the process's own.
WARNINGS = Lock()


@dataclass(frozen=True, slots=True)
class Code:
    """Runs Python."""

    statements: tuple[str, ...]
    is_test: tuple[bool, ...]
    entry: str
    bounds: sandbox.Bounds
    kind: ClassVar[str] = "code"
    blind_to: ClassVar[str] = (
        "how the program is written, what the tests don't ask, whether a list that comes back is the one that went in, "
        "and modules beyond those that only compute"
    )

    def grade(self, reply: Reply) -> Grade:
        """1 where every test passes, else 0; None where the program couldn't be held, and so wasn't run."""
        program = program_in(spoken(reply.text), self.entry)
        if not program.strip():
            return Grade(0.0, "it holds no program")
        asked = {"statements": self.statements, "is_test": self.is_test, "entry": self.entry}
        run = sandbox.run("code", program, asked, self.bounds)
        if run.refused:
            return Grade(None, f"not run: {run.why}")
        if run.verdict is None:
            return Grade(0.0, run.why)
        passed, of = int(run.verdict["passed"]), sum(self.is_test)
        if passed == of:
            return Grade(1.0, f"all {of} tests pass")
        return Grade(0.0, f"{passed} of {of} tests pass; {shortened(run.why or str(run.verdict['why']), 200)}")


def program_in(text: str, entry: str) -> str:
    """The program of a reply: its fenced blocks up to the last that defines the entry, else what of the text parses."""
    blocks = [content for language, content in fenced(text) if language in PYTHON]
    defines = re.compile(rf"^\s*(?:async\s+def|def|class)\s+{re.escape(entry)}\b|^{re.escape(entry)}\s*=", re.MULTILINE)
    if not blocks:
        return text if _parses(text) else _trimmed(text)
    good = [content for content in blocks if _parses(content)]
    last = max((place for place, content in enumerate(good) if entry and defines.search(content)), default=len(good))
    return "\n\n".join(good[: last + 1]) if good else blocks[-1]


def _trimmed(text: str) -> str:
    """A program with words before and after it, and no fence: from its first line on, as far as it parses."""
    begins = BEGINS.search(text)
    if begins is None:
        return text
    lines = text[begins.start() :].splitlines()
    for _ in range(min(MOST_TRIMS, len(lines))):
        if _parses("\n".join(lines)):
            break
        lines.pop()
    else:
        return text[begins.start() :]
    return "\n".join(lines)


def _parses(program: str) -> bool:
    """Whether it reads as Python; nothing is run, nor kept."""
    if len(program) > sandbox.MOST_CHARACTERS or program.count("(") + program.count("[") + program.count("{") > 20_000:
        return False
    try:
        with WARNINGS, warnings.catch_warnings():
            # An odd escape in a reply is nobody's business here.
            warnings.simplefilter("ignore")
            ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def code_of(fields: Fields) -> Code:
    """From `language`, `tests`, `entry`, `timeout_s` (processor time) and `memory_mb`."""
    fields.one_of("language", ("python",), "python")
    tests, entry = fields.text("tests"), fields.text("entry", "")
    if entry and not entry.isidentifier():
        raise fields.refusal("entry", f"is {entry!r}", "name the function or class that the reply must define")
    seconds = fields.number("timeout_s", 5.0, least=0.01)
    if seconds > 60:
        raise fields.refusal("timeout_s", f"is {seconds:g}", "use at most 60")
    bounds = sandbox.Bounds(ceil(seconds), 2 * ceil(seconds) + 2, fields.whole("memory_mb", 256, least=32, most=4096))
    statements, is_test = _statements(fields, tests)
    return Code(statements, is_test, entry, bounds)


def _statements(fields: Fields, tests: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The tests' top-level statements; those that assert or call something are the tests."""
    try:
        body = ast.parse(tests).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise fields.refusal("tests", f"is no Python ({error})", "write asserts, one a line") from None
    is_test = tuple(_is_test(node) for node in body)
    if not any(isinstance(part, ast.Assert) for node in body for part in ast.walk(node)) or not any(is_test):
        raise fields.refusal("tests", "asserts nothing", "write for example `assert add(1, 2) == 3`")
    return tuple(ast.unparse(node) for node in body), is_test


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return isinstance(node, ast.Expr) or any(isinstance(part, ast.Assert) for part in ast.walk(node))
