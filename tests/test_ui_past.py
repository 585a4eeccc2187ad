"""The recorded outcomes as the dashboard keeps them, and answers that are some seconds old."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from made_insight import history_in
from made_serving import Dot, model, settings_of
from pointsman.errors import InputError
from pointsman.estimate.drift.mix import Mix
from pointsman.pool.settings import LearningSettings, Settings
from pointsman.records import Outcomes
from pointsman.serve.fitting import learned_folder
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui import insight as module
from pointsman.serve.ui import past as past_module
from pointsman.serve.ui.insight import BEING_READ, NOT_LEARNED, Insight, insight_of
from pointsman.serve.ui.past import Past, past_of, read_past, still_there

NAN = float("nan")


def outcomes(texts: list[str], score: Any) -> Outcomes:
    table = np.asarray(score, np.float64)
    names = tuple(f"m{i}" for i in range(table.shape[1]))
    ids = [f"q{i}" for i in range(len(texts))]
    return Outcomes(ids, texts, ["d"] * len(texts), names, table, table * NAN, table * NAN, np.ones(len(texts)))


def settings_at(folder: Path, **learning: Any) -> Settings:
    models = (model("stub/big"), model("stub/mid"), model("p/other", history="stub/small"))
    return settings_of(*models, state=folder / "state", learning=LearningSettings(**learning))


def test_what_is_kept_of_outcomes() -> None:
    """By hand: models of the configuration under their ids, one group a text, long texts cut, parts by the mix."""
    made = outcomes(["one", "x" * 1_000, "one"], [[1.0, 0.5], [NAN, 0.0], [0.0, 1.0]])
    mix = Mix(np.array([[1.0], [-1.0]], np.float32), np.array([1, 1]), ("", ""))
    found = past_of(made, {"m1": "p/one"}, Dot(), mix)
    assert (found.models, found.score.tolist()) == (("p/one",), [[0.5], [0.0], [1.0]])
    assert found.group.tolist() == [0, 1, 0]
    assert [len(text) for text in found.texts] == [3, 400, 3]
    assert found.parts is not None
    assert found.parts.tolist() == [0, 0, 0]
    assert found.datasets_of(0) == {"d": 3}
    assert past_of(made, {}, Dot(), None).score.shape == (3, 0)


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """More prompts than are kept: so many of them, the same each time, in their order."""
    monkeypatch.setattr(past_module, "MOST_PROMPTS", 5)
    made = outcomes([f"t{i}" for i in range(40)], [[0.5]] * 40)
    one, other = (past_of(made, {"m0": "p/a"}, Dot(), None) for _ in range(2))
    assert len(one) == 5
    assert one.prompt_ids == other.prompt_ids
    assert sorted(one.prompt_ids, key=lambda id: int(id[1:])) == list(one.prompt_ids)


def test_the_folders_that_a_gateway_learns_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history, by the names that models have in it; none, too much, or what would cost again is refused."""
    with pytest.raises(InputError, match="no outcomes"):
        read_past(settings_at(tmp_path), Dot(), None)
    history_in(tmp_path / "history")
    mine = settings_at(tmp_path, history=tmp_path / "history")
    found = read_past(mine, Dot(), None)
    assert (len(found), found.models) == (200, ("stub/big", "stub/mid", "p/other"))
    paid = settings_at(tmp_path, history=tmp_path / "history", embedder="openai:small@http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="pay"):
        read_past(paid, Dot(), None)
    monkeypatch.setattr(past_module, "MOST_CELLS", 599)
    with pytest.raises(InputError, match="600 recorded outcomes are too many"):
        read_past(mine, Dot(), None)


def test_a_fit_that_is_gone_takes_its_texts_along(tmp_path: Path) -> None:
    """As a deletion does; a gateway without a fit has none."""
    mine = settings_at(tmp_path)
    assert not still_there(mine, "")
    assert not still_there(mine, "abc")
    learned_folder(mine).mkdir(parents=True)
    (learned_folder(mine) / "abc.fit").touch()
    assert still_there(mine, "abc")


# What a worker keeps


def test_what_was_made_a_moment_ago_is_told_again() -> None:
    """Made once for all who ask at once; made anew of something else, when it is old, and after a failure."""
    made = count(1)

    async def ask() -> None:
        kept, of = Insight(), object()

        def make() -> int:
            return next(made)

        assert await asyncio.gather(*(kept.fresh("a", of, make) for _ in range(5))) == [1] * 5
        assert await kept.fresh("a", of, make) == 1
        assert await kept.fresh("b", of, make) == 2
        assert await kept.fresh("a", object(), make) == 3
        assert await kept.fresh("a", of, make, fresh_s=0.0) == 4
        with pytest.raises(ZeroDivisionError):
            await kept.fresh("c", of, lambda: 1 / 0)
        assert await kept.fresh("c", of, lambda: 5) == 5

    asyncio.run(ask())


@dataclass
class Standing:
    """As much of a gateway as looking at the past takes."""

    settings: Settings
    fit: str = "abc"
    scheme: Any = field(init=False)

    def __post_init__(self) -> None:
        learned_folder(self.settings).mkdir(parents=True)
        (learned_folder(self.settings) / "abc.fit").touch()
        self.scheme = self

    snapshot = property(lambda self: self)
    embedder, mix = Dot(), None


def test_a_page_doesnt_wait_for_the_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read the page says so; then it is there, read once; without its fit it is gone."""
    go, reads = threading.Event(), []
    empty = past_of(outcomes(["a"], [[0.5]]), {}, Dot(), None)

    def slowly(*_: Any) -> Past:
        reads.append(1)
        assert go.wait(20)
        return empty

    monkeypatch.setattr(module, "read_past", slowly)
    gateway = Standing(settings_at(tmp_path))

    async def look() -> None:
        kept, asked = Insight(), cast("Gateway", gateway)
        assert await kept.past(asked, 0.0) == (None, BEING_READ)
        assert await kept.beside(lambda: 7) == 7
        go.set()
        assert await kept.past(asked, 20.0) == (empty, "")
        assert await kept.past(asked, 0.0) == (empty, "")
        assert len(reads) == 1
        (learned_folder(gateway.settings) / "abc.fit").unlink()
        assert await kept.past(asked) == (None, NOT_LEARNED)

    asyncio.run(look())


def test_a_past_that_cant_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal in its own words, a failure as one that the log tells of; neither is an error of the page."""
    told: list[Exception] = [InputError("too many"), RuntimeError("a fault")]

    def fails(*_: Any) -> Past:
        raise told[0]

    monkeypatch.setattr(module, "read_past", fails)

    async def look(error: Exception) -> str:
        told[0] = error
        found, why = await Insight().past(cast("Gateway", gateway), 20.0)
        assert found is None
        return why

    gateway = Standing(settings_at(tmp_path))
    assert "too many" in asyncio.run(look(told[0]))
    assert "log says why" in asyncio.run(look(told[1]))


def test_each_gateway_has_its_own() -> None:
    """And the same one each time."""

    class Worker:
        """Something that can be told apart."""

    one, other = cast("Gateway", Worker()), cast("Gateway", Worker())
    assert insight_of(one) is insight_of(one)
    assert insight_of(one) is not insight_of(other)
