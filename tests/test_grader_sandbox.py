"""The locked-down process: what a model's code can't do there, with every lock and with the needed ones alone."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pointsman.pool.graders import Reply, grader_of, sandbox
from pointsman.pool.graders.cell import locks
from pointsman.pool.graders.cell.syscalls import AUDIT_ARCH, KEPT, MAPPING
from pointsman.pool.graders.sandbox import LAYERS, NEEDED, Bounds, Run, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only")

SHORT = Bounds(cpu_s=1, wall_s=10.0, memory_mb=96)
ALL, LEAST = tuple(LAYERS), NEEDED["code"]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def tried(program: str, *tests: str, entry: str = "f", layers: tuple[str, ...] = ALL, bounds: Bounds = SHORT) -> Run:
    asked = {"statements": tests, "is_test": [True] * len(tests), "entry": entry}
    return run("code", program, asked, bounds, layers)


def passed(found: Run) -> int:
    assert not found.refused, found.why
    return 0 if found.verdict is None else int(found.verdict["passed"])


def attempt(body: str) -> str:
    """A program whose `f` says "out" where the body gets through, else the class of the error."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    ending = "        return 'out'\n    except BaseException as error:\n        return type(error).__name__\n"
    return f"def f():\n    try:\n{lines}\n{ending}"


@pytest.fixture
def server() -> Iterator[tuple[int, list[object]]]:
    """A listening loopback server, and the connections that it has seen."""
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, who = listening.accept()
                except TimeoutError:
                    continue
                connection.close()
                seen.append(who)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()[1], seen
        ended.set()
        thread.join()


def test_a_right_program_passes_and_a_wrong_one_fails() -> None:
    """By hand: two tests, of which a program that adds one passes both, and one that doubles passes one."""
    tests = ("assert f(1) == 2", "assert f(5) == 6")
    assert passed(tried("def f(x): return x + 1", *tests)) == 2
    assert passed(tried("def f(x): return x * 2", *tests)) == 1


def test_the_needed_locks_are_in_force_here() -> None:
    """On the machines that we support code can be run, and each run says under which locks."""
    assert set(LEAST) <= set(sandbox.layers()) <= set(LAYERS)
    assert tried("def f(): return 1", "assert f() == 1", layers=LEAST).layers == tuple(x for x in LAYERS if x in LEAST)


@pytest.mark.parametrize("missing", LEAST)
def test_nothing_runs_without_a_needed_lock(missing: str) -> None:
    """Where a needed lock isn't to be had, nothing is run, and there is no grade instead of a bad one."""
    found = tried("def f(): return 1", "assert f() == 1", layers=tuple(one for one in ALL if one != missing))
    assert found.refused
    assert found.verdict is None
    assert missing in found.why


def test_a_refusal_is_no_grade(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code grader can't tell where the code can't be held."""
    monkeypatch.setattr(sandbox, "run", lambda *_: Run(None, "seccomp not available on this machine", refused=True))
    grade = grader_of({"kind": "code", "tests": "assert f() == 1", "entry": "f"}).grade(Reply("def f(): return 1"))
    assert grade.score is None
    assert "seccomp" in grade.why


ESCAPES = {
    "fork": "import os\nos.fork()",
    "fork bomb": "import os\nwhile True: os.fork()",
    "read of passwd": "open('/etc/passwd').read()",
    "read of the project": f"open({__file__!r}).read()",
    "read of its own interpreter": "import os\nopen(os.__file__).read()",
    "listing": "import os\nos.listdir('/')",
    "look at a file": "import os\nos.stat('/')",
    "write here": "open('x', 'w').write('x')",
    "write in tmp": "open('/tmp/pointsman-escape', 'w').write('x')",
    "write in memory": "import os\nos.memfd_create('x')",
    "unlink": "import os\nos.unlink('/tmp')",
    "chdir": "import os\nos.chdir('/')",
    "chroot out": "import os\nos.chroot('..')",
    "execve": "import os, sys\nos.execv('/bin/sh', ['sh', '-c', 'echo'])",
    "spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "shell": "import os\nassert os.system('true') == 0, 1 / 0",
    "kill all": "import os\nos.kill(-1, 9)",
    "kill the parent": "import os\nos.kill(os.getppid(), 9)",
    "kill the group": "import os\nos.killpg(0, 9)",
    "own session": "import os\nos.setsid()",
    "root": "import os\nos.setuid(0)\nopen('/etc/shadow')",
    "thread": "import _thread\n_thread.start_new_thread(print, ())",
    "pip package": "import numpy",
    "project": "import pointsman.records",
    "ctypes": "import ctypes",
    "subprocess": "import subprocess",
    "raise the limits": "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
    "pipe": "import os\nos.pipe()",
    "alarm": "import signal\nsignal.alarm(1)\nos.sched_setaffinity(0, {0})",
}


@pytest.mark.parametrize("layers", [ALL, LEAST], ids=["all locks", "the needed ones"])
def test_no_way_out(layers: tuple[str, ...]) -> None:
    """Files, processes, signals, programs, packages and privileges are out of reach, whatever is tried."""
    bodies = [attempt(body).replace("def f", f"def f{number}", 1) for number, body in enumerate(ESCAPES.values())]
    tests = [f"assert f{number}() not in ('out', None), {name!r}" for number, name in enumerate(ESCAPES)]
    found = tried("\n".join(bodies), *tests, entry="f0", layers=layers)
    assert passed(found) == len(ESCAPES), found.verdict


def test_nothing_was_written() -> None:
    """After the attempts above there is no file of theirs."""
    assert passed(tried(attempt(ESCAPES["write in tmp"]), "assert f() == 'PermissionError'")) == 1
    assert not Path("/tmp/pointsman-escape").exists()


@pytest.mark.parametrize("layers", [ALL, LEAST])
def test_no_connection(server: tuple[int, list[object]], layers: tuple[str, ...]) -> None:
    """A server on loopback sees nothing of a program that connects to it by every module that could."""
    port, seen = server
    bodies = (
        f"import socket\nsocket.create_connection(('127.0.0.1', {port}))",
        f"import _socket\n_socket.socket().connect(('127.0.0.1', {port}))",
        f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}')",
    )
    for body in bodies:
        assert passed(tried(attempt(body), "assert f() != 'out'", layers=layers)) == 1
    socket.create_connection(("127.0.0.1", port)).close()
    for _ in range(50):
        if seen:
            break
        threading.Event().wait(0.05)
    assert len(seen) == 1


ENDLESS = {
    "loop on loading": "while True: pass",
    "output": "import os\ndef f():\n    while True: print(os.write(1, b'x' * 10_000), 'x' * 10_000)",
    "signals ignored": (
        "import signal\nfor one in range(1, 65):\n    try: signal.signal(one, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\ndef f():\n    while True: pass"
    ),
    "sleep": "import time\ndef f():\n    while True: time.sleep(100)",
    "endless answer": "def f():\n    while True: yield 1",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_end_comes(name: str) -> None:
    """What never ends is ended, fails, and leaves no process behind."""
    test = "assert list(f()) == 3" if name == "endless answer" else "assert f() == 3"
    found = tried(ENDLESS[name], test, entry="", bounds=Bounds(cpu_s=1, wall_s=2.5, memory_mb=96))
    assert passed(found) == 0
    assert psutil.Process().children(recursive=True) == []


HUNGRY = {
    "memory": "def f(): return len(bytearray(2**31))",
    "many small": "def f():\n    kept = []\n    while True: kept.append(bytearray(2**20))",
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()",
    "huge answer": "def f(): return 'x' * 20_000_000",
    "huge number": "def f(): return 1 << 10**8",
    "nested answer": "def f():\n    x = []\n    for _ in range(100_000): x = [x]\n    return x",
    "answer within itself": "def f():\n    x = []\n    x.append(x)\n    return x",
}


@pytest.mark.parametrize("name", HUNGRY)
def test_no_more_than_its_share(name: str) -> None:
    """Memory, stack and answers are bounded, and too much of any is a failed test."""
    assert passed(tried(HUNGRY[name], "assert f() == 3")) == 0


FORGERIES = {
    "exit 0 before its tests": "import sys\nprint('all tests passed')\nsys.exit(0)",
    "hard exit before its tests": "import os\nos._exit(0)",
    "exit 0 in a test": "import sys\ndef f(x): sys.exit(0)",
    "hard exit in a test": "import os\ndef f(x): os._exit(0)",
    "an answer equal to all": "class X:\n    def __eq__(self, other): return True\ndef f(x): return X()",
    "a number equal to all": "class X(int):\n    def __eq__(self, other): return True\ndef f(x): return X()",
    "a difference of zero": (
        "class X:\n    def __sub__(self, other): return 0\n    def __abs__(self): return 0\n"
        "    def __eq__(self, other): return True\ndef f(x): return X()"
    ),
    "the entry as such a class": (
        "class f:\n    def __init__(self, x): pass\n    def __sub__(self, other): return 0\n"
        "    def __abs__(self): return 0"
    ),
    "builtins of its own": "def abs(x): return 0\ndef f(x): return 0\nAssertionError = Exception",
    "other builtins": "import builtins\nbuiltins.AssertionError = None\nbuiltins.abs = lambda x: 0\ndef f(x): return 0",
    "a verdict on every pipe": (
        "import os, json\nsaid = json.dumps({'locked': [], 'passed': 2, 'of': 2, 'why': ''}).encode()\n"
        "for file in range(64):\n    try: os.write(file, len(said).to_bytes(4, 'big') + said)\n"
        "    except OSError: pass\n"
        "def f(x): return 0"
    ),
    "frames above it": (
        "import sys\nframe = sys._getframe()\nwhile frame:\n    for name, value in list(frame.f_globals.items()):\n"
        "        if callable(value) and not name.startswith('__'): frame.f_globals[name] = lambda *a, **k: {'ok': 81}\n"
        "    frame = frame.f_back\ndef f(x): return 0"
    ),
    "an answer that asks to be called again": "def f(x): return f",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_verdict_of_its_own(name: str) -> None:
    """The verdict comes from another process, over a pipe that the code doesn't have; none of these passes a test."""
    found = tried(FORGERIES[name], "assert f(9) == 81", "assert abs(f(3) - 9.0) < 1e-9")
    assert passed(found) == 0, found.verdict


def test_the_code_never_sees_its_tests() -> None:
    """No text of the tests is anywhere among the objects of the code's process, nor in its frames."""
    program = (
        "import gc, sys\ndef f():\n    parts = ['needle', '77']\n    word = '-'.join(parts)\n"
        "    held = gc.get_objects()\n"
        "    frame = sys._getframe()\n    while frame:\n        held += [frame.f_globals, frame.f_locals]\n"
        "        frame = frame.f_back\n"
        "    texts = [t for one in held for t in gc.get_referents(one) if isinstance(t, (str, bytes))]\n"
        "    texts = [t for t in texts if t is not word]\n"
        "    return sum(word in t for t in texts if isinstance(t, str)) + sum(word.encode() in t for t in texts"
        " if isinstance(t, bytes))\n"
    )
    assert passed(tried(program, "assert f() == 0 and 'needle-77'")) == 1


def test_a_lent_function_lends_nothing_else() -> None:
    """The code can call a function that a test hands to it, and can't look inside of it."""
    program = "def f(g):\n    try: return g.__globals__\n    except AttributeError: return g(4)"
    assert passed(tried(program, "assert f(lambda x: x * 2) == 8")) == 1


OBJECTS = """
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple
class Empty(ValueError): pass
class Point(NamedTuple):
    x: int
    y: int
@dataclass
class Vector:
    x: int
    def __mul__(self, by): return Vector(self.x * by)
class Stack:
    def __init__(self): self.held = []
    def push(self, one): self.held.append(one)
    def pop(self):
        if not self.held: raise Empty("nothing left")
        return self.held.pop()
    def __len__(self): return len(self.held)
    def __iter__(self): return iter(self.held)
    def __contains__(self, one): return one in self.held
    def __enter__(self): return self
    def __exit__(self, *error): return False
def sort(values): values.sort()
def drop(values, key): del values[key]
def count(text): return Counter(text)
def numbers(n):
    for one in range(n): yield one
def apply(g, x): return g(x)
def same(x): return x
def point(): return Point(1, 2)
"""
USES = (
    "s = Stack()\ns.push(3)\nassert len(s) == 1 and list(s) == [3] and 3 in s and s.pop() == 3",
    "try:\n    Stack().pop()\n    assert False\nexcept Empty as error:\n    assert 'nothing' in str(error)",
    "try:\n    Stack().pop()\n    assert False\nexcept ValueError:\n    pass",
    "assert (Vector(2) * 3).x == 6 and Vector(1) == Vector(1) and isinstance(Vector(1), Vector)",
    "a = [3, 1, 2]\nsort(a)\nassert a == [1, 2, 3]",
    "a = {'x': 1, 'y': 2}\ndrop(a, 'x')\nassert a == {'y': 2}",
    "assert count('aab') == {'a': 2, 'b': 1}",
    "assert list(numbers(3)) == [0, 1, 2] and next(numbers(1)) == 0",
    "assert apply(lambda x: x + 1, 2) == 3 and apply(len, 'abc') == 3 and apply(str, 5) == '5'",
    "assert point() == (1, 2) and point().y == 2",
    "with Stack() as s:\n    s.push(1)\n    assert len(s) == 1",
    "import math\nassert math.isclose(same(0.1) + same(0.2), 0.3)",
    "assert same(10 ** 30) == 10 ** 30 and same(float('inf')) == float('inf') and same(1j) == 1j",
    "assert same({1: ({2, 3}, b'x', [None, True])}) == {1: ({2, 3}, b'x', [None, True])}",
    "assert same(True) is True and same(None) is None and same('\\ud800') == '\\ud800'",
)


def test_what_tests_usually_do_works_across_processes() -> None:
    """Classes, their errors, generators, callbacks, changed arguments, named tuples and odd values pass as at home."""
    found = tried(OBJECTS, *USES, entry="Stack")
    assert passed(found) == len(USES), found.verdict


def test_the_filter_refuses_every_other_call() -> None:
    """Oracle: every system call is made in a locked process; all but the kept ones fail, and executable memory too."""
    folder = str(Path(locks.__file__).parent)
    probing = f"import sys\nsys.path.insert(0, {folder!r})\nfrom start import stand_in\nstand_in({folder!r})"
    probing += """
import ctypes, errno, json
from pointsman.pool.graders.cell import locks
from pointsman.pool.graders.cell import locks
from pointsman.pool.graders.cell.syscalls import KEPT, MAPPING
import os
machine = os.uname().machine
locks.lock(("limits", "no new privileges", "seccomp"), ("seccomp",), 5, 128)
libc = ctypes.CDLL(None, use_errno=True)
# 335 and 336 of x86-64 are the kernel's own, for its probes: it passes them by every filter, and ends who calls them.
kept = {*KEPT[machine].values(), *MAPPING[machine].values(), 335, 336}
through = []
for number in range(600):
    if number not in kept:
        ctypes.set_errno(0)
        if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM: through.append(number)
number = MAPPING[machine]["mmap"]
if libc.syscall(number, 0, 4096, 7, 0x22, -1, 0) != -1: through.append("executable memory")
print(json.dumps(through))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probing], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    """Oracle: the kernel's own header names the same numbers; and both machines keep the same calls."""
    assert set(KEPT[machine]) == set(KEPT["x86_64"])
    assert set(MAPPING[machine]) == set(MAPPING["x86_64"])
    assert machine in AUDIT_ARCH
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers here")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name: int(number) for name, number in defined}
    for name, number in {**KEPT[machine], **MAPPING[machine]}.items():
        assert numbers[name] == number, name


def test_a_slow_pattern_ends() -> None:
    """A pattern that takes exponential time on a reply is ended, and the grader can't tell."""
    grader = grader_of({"kind": "regex", "pattern": "(a+)+$", "full": True})
    assert grader.grade(Reply("aaaa")).score == 1.0
    assert grader.grade(Reply("a" * 60 + "!")).score is None


SCHEMA = "create table t (a integer, b text); insert into t values (1, 'x'), (2, 'y'), (3, 'x');"
QUERIES = {
    "select b, count(*) from t group by b": 1.0,
    "select b, count(a) as n from t group by 1 order by 1 desc;": 1.0,
    "select b, a from t": 0.0,
    "drop table t": 0.0,
    "select b, count(*) from t group by b; drop table t": 0.0,
    "attach '/tmp/pointsman-escape.db' as x": 0.0,
    "select readfile('/etc/passwd')": 0.0,
    "select load_extension('x')": 0.0,
    "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*), 1 from n": 0.0,
    "select randomblob(1000000000), 1": 0.0,
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_only_read(query: str) -> None:
    """Other tables, files, endless recursion and huge values fail; the right rows in any order pass."""
    grader = grader_of({"kind": "sql", "schema": SCHEMA, "answer": "select b, count(*) from t group by b"})
    assert grader.grade(Reply(f"```sql\n{query}\n```")).score == QUERIES[query]


def test_a_probe_whose_own_query_fails_gives_no_grade() -> None:
    """That says nothing about the reply."""
    grader = grader_of({"kind": "sql", "schema": SCHEMA, "answer": "select nothing from nowhere"})
    assert grader.grade(Reply("select 1")).score is None


def test_modules_that_only_compute_are_there() -> None:
    """Also those that are found only when first used; and their names in the code load nothing else."""
    program = (
        "from __future__ import annotations\nimport math, re, random, statistics, hashlib, unittest\n"
        "from urllib.parse import quote\nfrom datetime import datetime\n"
        "def f():\n    when = datetime.strptime('2026-01-31', '%Y-%m-%d')\n"
        "    return quote('ä'), when.year, 'ä'.encode('utf-16-le').hex(), hashlib.sha256(b'').hexdigest()[:4]\n"
        "if __name__ == '__main__':\n    unittest.main()\n"
    )
    assert passed(tried(program, "assert f() == ('%C3%A4', 2026, 'e400', 'e3b0')")) == 1


def test_many_at_once() -> None:
    """Threads may grade side by side, and each gets its own verdict."""
    found: dict[int, int] = {}

    def one(number: int) -> None:
        found[number] = passed(tried(f"def f(): return {number}", "assert f() == 2"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: 0, 1: 0, 2: 1, 3: 0}
