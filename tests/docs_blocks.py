"""The code blocks of the README and of the pages in docs/, and how they are carried out here.

A page is one session: its blocks run in the order in which they stand, in one empty folder, Python in one namespace,
shell in a real shell with the real program. Where a page serves, a gateway is really started, in front of a scripted
upstream in place of the providers. What would take hours, a network or an installation is carried out in the form that
`INSTEAD` states, each with its reason.

    python tests/docs_blocks.py        counts the blocks by what becomes of them
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from gateway_kit import MASTER, GatewayProcess, Upstream, openai_model
from pointsman.cli.funds_file import read_funds
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import OutcomeLog, OutcomeRow, prompt_id_of, write
from pointsman.pool.probes import read_probes
from pointsman.pool.registry import KEYS, read_settings
from pointsman.serve.drift.alarms import Alarm, Alarms
from warm_program import warm_program

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\{?[\w-]*\}?)[^\n]*\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE
)
NAMED = re.compile(r"# ([\w-]+\.ya?ml)\b.*\n")
ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost):8400")
RUN, SHOWN = ("python", "sh", "yaml", "json"), ("text", "mermaid")
TODAY = date(2026, 6, 1)
MODEL = {"models": [{"id": "p/m", "base_url": "http://127.0.0.1:9", "rates": "free"}]}
SECRETS = (
    "POINTSMAN_MASTER_KEY",
    "LITELLM_MASTER_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "ACME_KEY",
    "RESELLER_KEY",
    "KEY",
)
QUESTIONS = ("What is {} times {}?", "Write a haiku about {} and {}.", "Is {} more than {}? Explain in one sentence.")
HOLD, ALARM = "docs-hold", "docs-alarm"


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, what it is said to be, and what stands in it."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Its commands: lines that go on are one, remarks and blanks are none."""
        whole = re.sub(r"\\\n\s*", " ", self.text).splitlines()
        return [line for line in whole if line.strip() and not line.lstrip().startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["text"])
        for found in FENCE.finditer(text)
    ]


# --- what is carried out otherwise ------------------------------------------------------------------------------------

Instead = tuple[re.Pattern[str], str, str]
SKIP = "true"


def _instead(pattern: str, becomes: str, why: str) -> Instead:
    return re.compile(pattern), becomes, why


INSTEAD: tuple[Instead, ...] = (
    _instead(r"^make ([\w-]+).*", f"make --silent --dry-run -C '{ROOT}' \\1 > dry-run.txt", "builds environments"),
    _instead(r"^(cd \S+ && )?(python -m )?(pip install|local_pool\.run)\b.*", SKIP, "installs, or runs for an hour"),
    _instead(r"^python (benchmarks/\S+\.py).*", f"test -f '{ROOT}/\\1'", "runs for minutes to hours"),
    _instead(r"^(benchmarks/\S+\.sh).*", f"bash -n '{ROOT}/\\1'", "runs for hours"),
    _instead(
        r"^pointsman bench budget --data local-pool.*",
        "\\g<0> --policies paced,cheapest-pooled",
        "all policies: a minute",
    ),
    _instead(r"^pointsman bench .*--data (?!local-pool).*", SKIP, "wants outcome sets that aren't shipped"),
    _instead(r"^pointsman data fetch .*", SKIP, "downloads"),
    _instead(r"^pointsman demo\b.*", SKIP, "runs for minutes; it has tests of its own"),
    _instead(
        r"^(pointsman onboard \S+ --budget \S+)(.*)", "\\1 --probes 16 --no-wait", "64 probes, and waits for a fit"
    ),
    _instead(r"(--history|--data) simulated\b", "\\1 local-pool", "fits on 6,000 queries"),
    _instead(r"(pointsman replay) pointsman-state (--policy .*)", '\\1 "$LIVED_IN" \\2', "wants a log with scores"),
    _instead(r"--state STATE\b", "--state pointsman-state", "a name for the reader to fill in"),
    _instead(r"--hold ID\b", f"--hold {HOLD}", "a name for the reader to fill in"),
    _instead(r"--acknowledge ID\b|alarms/ID/acknowledge", f"--acknowledge {ALARM}", "a name for the reader to fill in"),
)


def carried_out(line: str) -> str:
    """A command as it runs here."""
    for pattern, becomes, _ in INSTEAD:
        if "alarms/ID" in line and "ID" in pattern.pattern:
            line = line.replace("alarms/ID", f"alarms/{ALARM}")
        else:
            line = pattern.sub(becomes, line)
    return line


def fate(block: Block) -> str:
    """What becomes of a block: "as written", "in a cheaper form", "not run" or "output"."""
    if block.language not in RUN:
        return "output"
    if block.language != "sh":
        return "as written"
    here = [carried_out(line) for line in block.lines]
    if here == block.lines:
        return "as written"
    return "not run" if all(line == SKIP for line in here) else "in a cheaper form"


# --- carrying out -----------------------------------------------------------------------------------------------------


class House:
    """What pages share: the upstream, and one gateway that has seen traffic, for pages that don't start their own."""

    def __init__(self, folder: Path, stub: Upstream) -> None:
        self.folder, self.stub = folder, stub
        self._stack = ExitStack()

    def close(self) -> None:
        """Ends what was started."""
        self._stack.close()

    def serve(self, folder: Path) -> GatewayProcess:
        """A gateway on the `pointsman.yaml` of a folder, its models moved to the upstream; the file says so too."""
        settings = self.moved(yaml.safe_load((folder / "pointsman.yaml").read_text(encoding="utf-8")))
        gateway = GatewayProcess(folder, settings, 1)
        gateway.state = folder / "pointsman-state"
        gateway.write({**settings, "state": str(gateway.state), "server": {"port": gateway.port}})
        self._stack.callback(gateway.close)
        gateway.start()
        return gateway

    def moved(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings with every model at the upstream, those that pages speak of too, without a history."""
        given = [self._model(one) for one in settings["models"]]
        known = {one["id"] for one in given}
        spoken = [{"id": "acme/new-model", "duty": "waiting"}, {"id": "acme/old-model"}, {"id": "acme/old"}]
        more = [self._model(one) for one in spoken if one["id"] not in known]
        learning = {key: value for key, value in settings.get("learning", {}).items() if key != "history"}
        return {**settings, "learning": learning, "telemetry": {"log": "console"}, "models": [*given, *more]}

    def _model(self, given: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: given[key] for key in ("id", "tier", "quality", "tags", "duty", "rates") if key in given}
        return openai_model(self.stub, **{"rates": {"input": 1, "output": 4}, **kept})

    @cached_property
    def lived_in(self) -> GatewayProcess:
        """A gateway with decisions behind it, stored outcomes, and an alarm."""
        self.folder.mkdir()
        (self.folder / "pointsman.yaml").write_text(yaml.safe_dump(LIVED_IN, sort_keys=False))
        gateway = self.serve(self.folder)
        for number in range(ASKED):
            text = QUESTIONS[number % 3].format(number, number + 7)
            answer = gateway.chat(max_tokens=20, messages=[{"role": "user", "content": text}])
            assert answer.status_code == 200, answer.text
        gateway.settled()
        OutcomeLog(gateway.state / "outcomes").append([_scored(number) for number in range(STORED)])
        Alarms(gateway.state).raise_(RAISED)
        return gateway


def _scored(number: int) -> OutcomeRow:
    """An outcome of last week, as the gateway stores it: one model's, drawn with a probability, with a score."""
    text, rare = QUESTIONS[number % 3].format(number, number + 11), number % 5 == 0
    return OutcomeRow(
        prompt_id_of(text),
        text,
        "live",
        "openai/gpt-4o-mini" if rare else "openai/gpt-4o",
        score=float(number % 4 != 0),
        input_tokens=12,
        output_tokens=20,
        cost_usd=0.0001 if rare else 0.0002,
        at_s=1.7e9 + number,
        propensity=0.2 if rare else 0.8,
    )


ASKED, STORED = 12, 180
LIVED_IN: dict[str, Any] = {
    "master_key": "os.environ/POINTSMAN_MASTER_KEY",
    "models": [{"id": "openai/gpt-4o", "tier": "large"}, {"id": "openai/gpt-4o-mini", "tier": "large"}],
    "funds": [{"name": "all", "amount": 100, "window": "1mo"}, {"name": "team-a", "amount": 5}],
    "learning": {"store_prompts": True},
}
RAISED = Alarm(ALARM, "score", "acme/old", 1.8e9, 1.8e9, 0.0, -0.2, -0.3, -0.1, 100, 100, 1e6)


class Page:
    """One page, carried out in a folder of its own."""

    def __init__(self, page: Path, folder: Path, house: House) -> None:
        self.blocks, self.folder, self.house = blocks_of(page), folder, house
        self.name = page.relative_to(ROOT).as_posix()
        self.gateway: GatewayProcess | None = None
        self._namespace: dict[str, object] = {"__name__": "page"}
        for given in GIVEN:
            if given.mentioned(self.blocks):
                given.make(folder)

    def run(self) -> None:
        """Every block, in order."""
        does: Mapping[str, Callable[[Block], None]] = {
            "python": self._python,
            "sh": self._sh,
            "yaml": self._yaml,
            "json": lambda block: json.loads(block.text),
        }
        for block in self.blocks:
            if block.language in does:
                does[block.language](block)

    def close(self) -> None:
        """Ends the page's own gateway."""
        if self.gateway is not None and self.gateway.config.parent == self.folder:
            self.gateway.close()

    def _here(self, text: str) -> str:
        """A text with the gateway's address as it is here; a gateway is there once one is spoken of."""
        if not (ADDRESS.search(text) or SPOKEN.search(text)):
            return text
        if self.gateway is None:
            self._move_in()
        assert self.gateway is not None
        return ADDRESS.sub(f"127.0.0.1:{self.gateway.port}", text)

    def _move_in(self) -> None:
        """Takes the shared gateway: its file, and its state under the usual name."""
        self.gateway = self.house.lived_in
        (self.folder / "pointsman.yaml").unlink(missing_ok=True)
        (self.folder / "pointsman.yaml").symlink_to(self.gateway.config)
        (self.folder / "pointsman-state").symlink_to(self.gateway.state)

    def _python(self, block: Block) -> None:
        name = f"{self.name}, line {block.line}"
        exec(compile("\n" * block.line + self._here(block.text), name, "exec"), self._namespace)

    def _sh(self, block: Block) -> None:
        waiting: list[str] = []
        for line in block.lines:
            if line.startswith("pointsman serve"):
                self._shell(block, waiting)
                waiting = []
                self.gateway = self.house.serve(self.folder)
            else:
                waiting.append(carried_out(line))
        self._shell(block, waiting)

    def _shell(self, block: Block, lines: Sequence[str]) -> None:
        if not lines:
            return
        text = self._here("\n".join(lines))
        where = {"LIVED_IN": str(self.house.lived_in.state)} if "LIVED_IN" in text else {}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=os.environ | where,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}, line {block.line}:\n{text}\n{done.stdout}{done.stderr}"

    def _yaml(self, block: Block) -> None:
        value = yaml.safe_load(block.text)
        named = NAMED.match(block.text)
        path = self.folder / (named[1] if named else "block.yaml")
        if named and path.name == "pointsman.yaml" and self.gateway is not None:
            self._read(path.with_name("block.yaml"), block.text, value)
            self.gateway.write({**self.house.moved(value), "server": {"port": self.gateway.port}})
            return
        self._read(path, block.text, value)

    def _read(self, path: Path, text: str, value: Any) -> None:
        """Writes a file and reads it as what it is: settings whole or in part, funds, probes; else as YAML."""
        path.write_text(text, encoding="utf-8")
        if isinstance(value, list):
            assert read_probes(path)
        elif set(value) == {"funds"}:
            assert read_funds(path)
        elif set(value) <= set(KEYS):
            whole = path.with_name("whole.yaml")
            whole.write_text(text if "models" in value else yaml.safe_dump(MODEL) + text, encoding="utf-8")
            assert read_settings(whole, os.environ, TODAY).models


SPOKEN = re.compile(r"pointsman-state\b|pointsman (models|onboard|retire|log|alarms|keys)\b")


# --- what pages take for given ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """A file that a page speaks of as the reader's own."""

    name: str
    make: Callable[[Path], None]

    def mentioned(self, blocks: Sequence[Block]) -> bool:
        """Whether a block needs it."""
        return any(self.name in block.text for block in blocks if block.language in {"sh", "yaml"})


def _prompts(folder: Path) -> None:
    lines = [json.dumps({"prompt": QUESTIONS[n % 3].format(n, 3)}) for n in range(40)]
    (folder / "prompts.jsonl").write_text("\n".join(lines))


def _funds(folder: Path) -> None:
    (folder / "funds.yaml").write_text("funds: [{name: everything, amount: 5}]")


def _outcomes(name: str) -> Callable[[Path], None]:
    return lambda folder: write(simulate(200, seed=3), folder / name)


def _table(folder: Path) -> None:
    rows = [f"What is {n} + {n}?,{model},{n % 2},0.001,maths" for n in range(20) for model in ("a/x", "a/y")]
    (folder / "mine.csv").write_text("prompt,model,grade,cost_usd,dataset\n" + "\n".join(rows))


def _litellm(folder: Path) -> None:
    model = {"model_name": "fast", "litellm_params": {"model": "openai/gpt-4o-mini"}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model_list": [model]}))


GIVEN = (
    Given("config.yaml", _litellm),
    Given("prompts.jsonl", _prompts),
    Given("funds.yaml", _funds),
    Given("my/outcomes", _outcomes("my/outcomes")),
    Given("mine.csv", _table),
)


@contextmanager
def program(folder: Path) -> Iterator[None]:
    """`pointsman` and `python` in a folder for the front of PATH: those of the interpreter that runs the tests."""
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python").chmod(0o755)
    with warm_program(folder):
        yield


def environment(folder: Path) -> dict[str, str]:
    """What a reader would have set: the program on the path, keys, and a cache of one's own."""
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "POINTSMAN_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(SECRETS, MASTER),
    }


def tally() -> Counter[tuple[str, str]]:
    """How many blocks there are, by language and by what becomes of them."""
    return Counter(
        (block.language, fate(block)) for page in PAGES for block in blocks_of(page) if block.language[0] != "{"
    )


if __name__ == "__main__":
    width = shutil.get_terminal_size().columns
    for (language, what), count in sorted(tally().items()):
        print(f"{language:8} {what:20} {count:4}"[:width])
