"""Prompts about programs: reading one, writing one, and questions to a database in SQL.

Each writer takes `Draws` and gives a `Written`. The programs run; what they print is never worked out here.
"""

from __future__ import annotations

from pointsman.evaluate.simulated.draws import Draws, Number, Slots
from pointsman.evaluate.simulated.words import POOLS
from pointsman.evaluate.simulated.written import Written

_SNIPPETS = (
    (
        "def {func1}({var1}):\n    {var2} = 0\n    for i, x in enumerate({var1}):\n        if x % {n:2-5} == {n:0-1}:\n"
        "            {var2} += x * i\n        else:\n            {var2} -= {n:1-4}\n    return {var2}\n\n"
        "print({func1}([{n:1-30}, {n:1-30}, {n:1-30}, {n:1-30}, {n:1-30}]))",
        0.2,
    ),
    ('word = "{codeword1}"\nprint(word[{n:1-2}::{n:2-3}] + word[-{n:2-4}:].upper())', -0.6),
    (
        "{var1} = [{n:1-20}, {n:1-20}, {n:1-20}, {n:1-20}]\n{var2}1 = {var1}\n{var2}1.append({n:1-9})\n"
        "print(len({var1}), sum({var1}))",
        -0.9,
    ),
    (
        "def {func1}(n):\n    if n < {n:2-3}:\n        return n\n    return {func1}(n - 1) + {n:2-4} * {func1}(n - 2)\n"
        "\nprint({func1}({n:5-9}))",
        0.7,
    ),
    (
        "const {var1} = [{n:1-9}, {n:10-30}, {n:3-12}, {n:100-120}];\n{var1}.sort();\n"
        "console.log({var1}.map(x => x > {n:5-15} ? x - 1 : x + 1).join('-'));",
        0.5,
    ),
    (
        "def make_{func1}():\n    fs = []\n    for k in range({n:2-5}):\n        fs.append(lambda x: x + k)\n"
        "    return fs\n\nprint([f({n:1-9}) for f in make_{func1}()])",
        0.9,
    ),
    (
        "{var1} = {{}}\nfor ch in '{codeword1}{codeword2}':\n    {var1}[ch] = {var1}.get(ch, 0) + 1\n"
        "print(sorted({var1}.items(), key=lambda p: (-p[1], p[0]))[:{n:1-4}])",
        0.4,
    ),
    (
        "int {func1}(int n) {{\n    int r = 0;\n    while (n > 0) {{\n        r = r * 10 + n % 10;\n        n /= 10;\n"
        '    }}\n    return r;\n}}\n\nprintf("%d\\n", {func1}({n:100-99999}) + {func1}({n:10-900}));',
        0.1,
    ),
    (
        "class Base:\n    tag = '{codeword1}'\n    def show(self):\n        return self.tag + self.more()\n"
        "    def more(self):\n        return '{n:1-9}'\n\nclass Child(Base):\n    tag = '{codeword2}'\n"
        "    def more(self):\n        return super().more() * {n:2-3}\n\nprint(Child().show(), Base().show())",
        0.3,
    ),
    (
        "let {var1} = {n:1-9};\nsetTimeout(() => console.log('a', {var1}), 0);\n"
        "Promise.resolve().then(() => {{ {var1} += {n:1-5}; console.log('b', {var1}); }});\n"
        "{var1} *= {n:2-4};\nconsole.log('c', {var1});",
        1.1,
    ),
    (
        "def {func1}({var1}, k={n:2-4}):\n    out = []\n    while {var1}:\n"
        "        head, {var1} = {var1}[:k], {var1}[k:]\n        out.append(max(head) - min(head))\n    return out\n\n"
        "print({func1}([{n:1-40}, {n:1-40}, {n:1-40}, {n:1-40}, {n:1-40}, {n:1-40}, {n:1-40}]))",
        0.3,
    ),
)
_READING_ASKS = (
    ("What does this program print?\n\n{0}", 0.0),
    ("```\n{0}\n```\nWhat is the output? Answer with the output only.", 0.1),
    ("I ran this and the result surprised me. What comes out, and why?\n\n{0}", 0.2),
    ("Trace the following code line by line and give the final output.\n\n{0}", 0.0),
    ("Explain in two sentences what this does:\n\n{0}", -0.9),
    ("Is there a bug here? If so, name the line.\n\n{0}", 0.4),
    ("What are the time and space complexity of this code?\n\n{0}", -0.2),
)


def code_reading(draws: Draws) -> Written:
    """One to three short programs and a question about them; the more there are, the harder."""
    count = draws.tailed(1, 3)
    picked = draws.several(_SNIPPETS, count)
    code = "\n\n".join(Slots(draws, POOLS).fill(snippet) for snippet, _ in picked)
    ask, shift = draws.pick(_READING_ASKS)
    difficulty = max(level for _, level in picked) - 0.5 + shift + 0.45 * (count - 1)
    return Written(ask.format(code), difficulty, 90 + 60 * count)


_LANGUAGES = (
    ("Python", -0.3),
    ("Python", -0.3),
    ("Python", -0.3),
    ("JavaScript", -0.1),
    ("TypeScript", 0.0),
    ("Java", 0.0),
    ("Go", 0.1),
    ("C++", 0.3),
    ("Rust", 0.5),
    ("Haskell", 0.8),
    ("Bash", 0.3),
    ("OCaml", 0.9),
)
_CODE_TASKS = (
    ("reverses the order of the words in a sentence", -1.6),
    ("counts how often each vowel appears in a string", -1.6),
    ("returns the {n:2-9} largest numbers of a list", -1.3),
    ("checks whether a string is a palindrome, ignoring case and spaces", -1.5),
    ("converts a temperature table from Celsius to Fahrenheit", -1.5),
    ("removes duplicates from a list but keeps the first of each", -1.2),
    ("parses lines such as '{codeword};{n:1-99};{codeword}' into records", -0.7),
    ("groups {things} by {colour} and {colour} and sums their weights", -0.6),
    ("flattens a list nested to any depth", -0.6),
    ("merges overlapping intervals", -0.1),
    ("finds the longest run of equal values in a list of {n:10-900} entries", -0.6),
    ("writes a number up to {n:1-9}000 in Roman numerals", -0.4),
    ("validates an IBAN from {country}", 0.0),
    ("finds the shortest path through a grid of {n:5-60} by {n:5-60} cells with walls", 0.3),
    ("implements a cache of {n:10-500} entries that drops the least recently used one", 0.3),
    ("evaluates an arithmetic expression with brackets and {n:2-4} levels of precedence", 0.7),
    ("solves a sudoku by backtracking", 0.4),
    ("schedules {n:4-40} jobs with deadlines on {n:2-6} machines so that the fewest are late", 1.2),
    ("computes the edit distance of two strings and lists the edits", 0.5),
    ("limits a caller to {n:2-90} requests in {n:1-60} seconds with a sliding window", 0.5),
    ("finds all strongly connected components of a directed graph", 0.9),
    ("rotates a binary search tree to balance it after {n:3-20} deletions", 1.3),
    ("matches a text against a pattern with ? and *", 0.7),
    ("streams a file of {n:2-90} GB and reports the {n:3-50} commonest lines in bounded memory", 0.9),
    ("merges two versions of a document three ways and marks the conflicts", 1.6),
)
_CODE_LIMITS = (
    "Don't use any library.",
    "It must run in linear time.",
    "Add type hints.",
    "Write {n:2-6} unit tests as well.",
    "Handle empty input without raising.",
    "Use no recursion.",
    "Keep it under {n:12-40} lines.",
    "Memory use must not depend on the input's length.",
    "Call it `{func}`.",
    "Add a docstring with an example.",
    "It has to be safe to call from several threads.",
    "Raise a clear error when a value is above {n:10-9000}.",
)
_CODE_ASKS = (
    "Write a {0} function that {1}. {2}",
    "In {0}, write code that {1}. {2}",
    "Can you give me a {0} snippet which {1}? {2}",
    "I need {0} code that {1}. {2} Only the code, please.",
)


def code_writing(draws: Draws) -> Written:
    """A function to write, harder with the task, the language and every condition."""
    slots = Slots(draws, POOLS)
    (language, rare), (task, hard) = draws.pick(_LANGUAGES), draws.pick(_CODE_TASKS)
    limits = draws.several(_CODE_LIMITS, draws.tailed(1, 6) - 1)
    text = draws.pick(_CODE_ASKS).format(language, slots.fill(task), " ".join(slots.fill(x) for x in limits)).strip()
    return Written(text, 0.8 * hard + rare + 0.25 * len(limits), 230 + 110 * (hard + 1.6) + 25 * len(limits))


_SCHEMAS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "customers": ("id", "name", "city", "joined_on"),
        "orders": ("id", "customer_id", "ordered_on", "status"),
        "order_lines": ("order_id", "product_id", "quantity", "unit_price"),
        "products": ("id", "title", "category", "stock"),
    },
    {
        "patients": ("id", "surname", "born_on", "ward"),
        "visits": ("id", "patient_id", "doctor_id", "visited_on", "minutes"),
        "doctors": ("id", "surname", "speciality", "hired_on"),
        "prescriptions": ("visit_id", "drug", "dose_mg", "days"),
    },
    {
        "members": ("id", "full_name", "branch", "expires_on"),
        "loans": ("id", "member_id", "copy_id", "lent_on", "returned_on"),
        "copies": ("id", "book_id", "shelf", "condition"),
        "books": ("id", "title", "author", "published"),
    },
    {
        "flights": ("id", "origin", "destination", "departs_at", "aircraft_id"),
        "bookings": ("id", "flight_id", "passenger_id", "fare", "class"),
        "passengers": ("id", "surname", "country", "points"),
        "aircraft": ("id", "type", "seats", "built"),
    },
    {
        "employees": ("id", "surname", "team_id", "salary", "started_on"),
        "teams": ("id", "title", "site", "lead_id"),
        "shifts": ("employee_id", "starts_at", "ends_at", "overtime"),
        "absences": ("employee_id", "from_day", "to_day", "reason"),
    },
)
_SQL_ASKS = (
    ("count the rows of {0}", -1.7),
    ("list the {1} of every row in {0}, sorted by {2}", -1.5),
    ("show the {n:3-20} rows of {0} with the highest {2}", -1.2),
    ("find the rows of {0} whose {1} occurs more than {n:2-9} times", -0.5),
    ("give the number of {0} per {1} and month of {n:2015-2024}", -0.2),
    ("list everything in {0} that has no matching row in {3}", -0.1),
    ("for each {1} in {0}, show the average of {2} next to that of {3}", 0.2),
    ("rank {0} by {2} within each {1} and keep the first {n:2-5}", 0.8),
    ("compute a running total of {2} over {0}, restarted for each {1}", 0.9),
    ("find pairs in {0} with the same {1} whose {2} differ by less than {n:2-40}", 0.6),
    ("show for every row of {0} the change in {2} since the previous one of the same {1}", 1.0),
    ("find gaps of more than {n:2-30} days between entries of {0} joined with {3}", 1.5),
)
_DIALECTS = ("PostgreSQL", "SQLite", "MySQL", "standard SQL", "BigQuery", "SQL Server")


def sql(draws: Draws) -> Written:
    """A schema of two to four tables and one to three things to ask of it."""
    schema = draws.pick(_SCHEMAS)
    tables = draws.several(tuple(schema), draws.whole(2, 4))
    asks, levels = zip(*(_sql_ask(draws, schema, tables) for _ in range(draws.tailed(1, 3))), strict=True)
    dialect = draws.pick(_DIALECTS)
    request = f"Write one {dialect} query that does this: {'; then also '.join(asks)}."
    text = f"{_schema_text(draws, schema, tables)}\n\n{request}"
    difficulty = max(levels) + 0.5 * (len(asks) - 1) + 0.15 * (len(tables) - 2)
    return Written(text, difficulty, 90 + 70 * len(asks))


def _sql_ask(draws: Draws, schema: dict[str, tuple[str, ...]], tables: list[str]) -> tuple[str, float]:
    ask, level = draws.pick(_SQL_ASKS)
    table, other = draws.several(tables, 2)
    columns = draws.several(schema[table][1:], 2)
    return ask.format(table, *columns, other, n=Number(draws)), level


def _schema_text(draws: Draws, schema: dict[str, tuple[str, ...]], tables: list[str]) -> str:
    if draws.chance(0.5):
        lines = [f"CREATE TABLE {table} ({', '.join(schema[table])});" for table in tables]
        return "Given these tables:\n" + "\n".join(lines)
    lines = [f"- {table}: {', '.join(schema[table])}" for table in tables]
    return "My database has\n" + "\n".join(lines)
