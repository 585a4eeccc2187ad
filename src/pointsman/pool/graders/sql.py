"""The reply's query gives the rows that the probe's own gives, on SQLite, in the locked-down process; or isn't run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders import sandbox
from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import fenced, shortened, spoken

BOUNDS = sandbox.Bounds(cpu_s=5, wall_s=12.0, memory_mb=256)
QUERY = re.compile(
    r"(?:^|(?<=[\s:`]))(?:with\s+(?:recursive\s+)?\w+\s*(?:\([^()]*\)\s*)?as\s*\(|select\b)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Sql:
    """Runs a query."""

    schema: str
    answer: str
    ordered: bool
    kind: ClassVar[str] = "sql"
    blind_to: ClassVar[str] = (
        "queries that are right on these rows by chance, the names of columns (their order counts), and dialects "
        "other than SQLite's"
    )

    def grade(self, reply: Reply) -> Grade:
        """1 where the rows are the same (in the same order, with `ordered`), else 0; None where it couldn't be run."""
        query = query_in(spoken(reply.text))
        if not query:
            return Grade(0.0, "it holds no query")
        asked = {"schema": self.schema, "answer": self.answer, "ordered": self.ordered}
        run = sandbox.run("sql", query, asked, BOUNDS)
        if run.refused:
            return Grade(None, f"not run: {run.why}")
        if run.verdict is None:
            return Grade(0.0, run.why)
        if "broken" in run.verdict:
            return Grade(None, str(run.verdict["broken"]))
        return Grade(float(run.verdict["right"]), shortened(str(run.verdict["why"]), 200))


def query_in(text: str) -> str:
    """The query of a reply: the last fenced block with one, else the text from its first `select` or `with` on."""
    blocks = [content for _, content in fenced(text) if QUERY.search(content)]
    part = blocks[-1] if blocks else text
    begins = QUERY.search(part)
    if begins is None:
        return ""
    query = part[begins.start() :] if not blocks else part
    return query.strip() if blocks else re.split(r";|\n\s*\n|`", query, maxsplit=1)[0].strip()


def sql_of(fields: Fields) -> Sql:
    """From `schema` (statements that make and fill the tables), `answer` (a query) and `ordered`."""
    return Sql(fields.text("schema"), fields.text("answer"), fields.truth("ordered"))
