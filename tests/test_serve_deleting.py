"""What is deleted is gone from every file's bytes; what is old goes by itself; the rest stays."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from made_finished import finished
from pointsman.cli.log import app
from pointsman.errors import InputError
from pointsman.outcomes import OutcomeLog, OutcomeRow, prompt_id_of, read
from pointsman.serve.deleting import Removed, delete, prune
from pointsman.serve.journal import Journal
from pointsman.serve.keeping import Keeping, keep
from pointsman.serve.prompts import Prompts

WORD = "xylophonequartz"
TEXT = f"Tell me about the {WORD} of my neighbour"
NOW = 1_700_000_000.0
DAY = 86_400.0


def live(decision: str, text: str, at_s: float | None = NOW, **more: object) -> OutcomeRow:
    row = OutcomeRow(decision, text, "live", "p/m", None, 0.1, 3.0, 4.0, at_s=at_s)
    return replace(row, **more)  # type: ignore[arg-type]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with one query to delete, in all of its files, and others beside it."""
    state = tmp_path / "state"
    log = OutcomeLog(state / "outcomes")
    log.append([live("dec_1", TEXT, answer=f"The {WORD} is red."), live("dec_2", "plain")])
    log.append([live("dec_1", TEXT, score=1.0, grader="feedback")])
    log.append([live("dec_3", TEXT)])
    prompts = Prompts(state / "prompts.sqlite", 10 * DAY)
    for again in range(3):
        for name, text in (("dec_1", TEXT), ("dec_2", "plain"), ("dec_3", TEXT)):
            prompts.add(name, live(name, text, score=again / 10))
        prompts.flush()
    prompts.close()
    journal = Journal(state / "decisions.sqlite", 10 * DAY)
    for name in ("dec_1", "dec_2", "dec_3"):
        journal.add(finished(decision_id=name, at_ns=time.time_ns()))
    assert journal.close()
    folder = state / "onboarding" / "p-m"
    folder.mkdir(parents=True)
    (folder / "probes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (
        {"id": "mine", "prompt": TEXT}, {"id": "p1", "prompt": "sum"})))  # fmt: skip
    (folder / "answers.jsonl").write_text(json.dumps({"probe_id": "p1", "answer": {"text": "2"}}) + "\n")
    (state / "learned").mkdir()
    (state / "learned" / "abc.fit").write_bytes(WORD.encode())
    return state


def found_in(state: Path, word: str = WORD) -> list[str]:
    return sorted(path.name for path in state.rglob("*") if path.is_file() and word.encode() in path.read_bytes())


def test_a_prompt_goes_with_every_query_of_it(state: Path) -> None:
    """By the text's id: outcomes, prompts, decisions, an onboarding's probe and the fit; no file has the word."""
    assert "prompts.sqlite" in found_in(state)
    assert delete(state, prompt_id_of(TEXT)) == Removed(3, 2, 2, 1, 1)
    assert found_in(state) == []
    assert read(state / "outcomes").texts == ["plain"]
    with closing(sqlite3.connect(state / "decisions.sqlite")) as db:
        assert [name for (name,) in db.execute("select decision_id from exchanges")] == ["dec_2"]
    assert "p1" in (state / "onboarding" / "p-m" / "probes.jsonl").read_text()
    assert not delete(state, prompt_id_of(TEXT)).any


def test_a_decision_goes_alone(state: Path) -> None:
    """By a decision's id: the same text asked another time stays."""
    found = delete(state, "dec_1")
    assert (found.outcomes, found.prompts, found.decisions, found.fits) == (2, 1, 1, 1)
    assert read(state / "outcomes").prompt_ids == ["dec_2", "dec_3"]


def test_while_a_gateway_has_its_files_open(state: Path) -> None:
    """A worker's connections stay open and usable, and the word is gone nevertheless."""
    prompts, journal = Prompts(state / "prompts.sqlite", 10 * DAY), Journal(state / "decisions.sqlite", 10 * DAY)
    assert prompts.get("dec_1") is not None
    assert journal.get("dec_1") is not None
    delete(state, prompt_id_of(TEXT))
    (state / "onboarding" / "p-m" / "probes.jsonl").unlink()
    assert found_in(state) == []
    assert prompts.get("dec_1") is None
    assert journal.get("dec_1") is None
    assert prompts.get("dec_2") is not None
    prompts.close()
    journal.close()


def test_what_is_old_goes(state: Path) -> None:
    """By hand: of three times, one before the limit goes; a row of no known time and a probe stay and are counted."""
    log = OutcomeLog(state / "outcomes")
    log.append([live("dec_4", "long ago", NOW - 9 * DAY), live("dec_5", "when", None)])
    log.append([OutcomeRow("p", "sum", "probe:sums", "p/m", 1.0, at_s=NOW - 90 * DAY)])
    removed, timeless = prune(state, NOW - DAY)
    assert (removed.outcomes, timeless) == (1, 1)
    assert "long ago" not in read(state / "outcomes").texts
    assert prune(state, NOW - DAY, probes=True)[0].outcomes == 1
    removed, _ = prune(state, time.time() + DAY)
    assert (removed.outcomes, removed.prompts, removed.decisions) == (4, 3, 3)


def test_retention_beside_the_queries(state: Path) -> None:
    """`keep` leaves what is young enough and prompts that wait; zero keeps everything; it looks once an hour."""
    assert keep(state, 0.0, NOW + 99 * DAY)[0] == 0
    keeping = Keeping(state)

    async def story() -> None:
        await keeping.look(30 * DAY, NOW + 29 * DAY)
        assert len(read(state / "outcomes")) == 3
        await keeping.look(DAY, NOW + 29 * DAY)  # not yet: an hour hasn't passed

    asyncio.run(story())
    assert len(read(state / "outcomes")) == 3
    assert keep(state, 28 * DAY, NOW + 29 * DAY) == (4, 0)
    with closing(sqlite3.connect(state / "prompts.sqlite")) as db:
        assert db.execute("select count(*) from prompts").fetchone() == (3,)


def test_the_commands(state: Path, tmp_path: Path) -> None:
    """show, export, prune and delete say what they did, as JSON too; deleting nothing ends with code 1."""
    run = CliRunner()
    shown = json.loads(run.invoke(app, ["show", str(state), "--json"]).stdout)
    assert (shown["outcomes"], shown["queries"], shown["scored"], shown["parts"]) == (3, 3, 1, 3)
    assert "p/m" in run.invoke(app, ["show", str(state)]).stdout
    out = tmp_path / "set"
    assert run.invoke(app, ["export", str(state), str(out), "--json"]).exit_code == 0
    assert sorted(read(out).texts) == sorted([TEXT, "plain"])
    assert read(out).title == "log of state"
    kept = json.loads(run.invoke(app, ["prune", str(state), "--older", "90w", "--json"]).stdout)
    assert kept["of_no_known_time"] == 0
    assert run.invoke(app, ["delete", str(state), "--id", prompt_id_of(TEXT)]).exit_code == 0
    assert run.invoke(app, ["delete", str(state), "--id", "nobody"]).exit_code == 1
    assert found_in(state) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "nowhere"], "no such folder"),
        (["prune", ".", "--older", "90"], "no length of time"),
        (["prune", ".", "--older", "1y"], "no length of time"),
    ],
)
def test_what_can_not_be_done_is_said(arguments: list[str], says: str) -> None:
    """A folder that isn't there and a time that is none are one error each."""
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, InputError)
    assert says in str(found.exception)
