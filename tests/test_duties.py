"""Duties: the file in the state folder, what it lays over a configuration, and configurations that serve nobody."""

from __future__ import annotations

import json
import tempfile
import threading
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_serving import model, settings_of
from pointsman.errors import InputError
from pointsman.pool.cards import Duty
from pointsman.pool.duties import (
    clear_duty,
    duties_path,
    left_without,
    read_duties,
    read_given,
    set_duty,
    with_duties,
)
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Alias

DUTIES: tuple[Duty, ...] = get_args(Duty)
MODELS = (model("p/a"), model("p/b", duty="waiting"), model("q/c", tags=frozenset({"eu"})))


def test_a_duty_is_given_and_taken_back(tmp_path: Path) -> None:
    """What was given last counts, with its time and its reason; what is taken back leaves the rest as it was."""
    assert read_duties(tmp_path / "new") == {}
    set_duty(tmp_path / "new", "p/b", "serving", "onboarded", at_s=12.5)
    set_duty(tmp_path / "new", "p/a", "shadow", "")
    set_duty(tmp_path / "new", "p/a", "retired", "too dear")
    assert read_duties(tmp_path / "new") == {"p/a": "retired", "p/b": "serving"}
    kept = json.loads(duties_path(tmp_path / "new").read_text())
    assert kept["p/b"] == {"duty": "serving", "at_s": 12.5, "why": "onboarded"}
    clear_duty(tmp_path / "new", "p/a")
    clear_duty(tmp_path / "new", "never/there")
    assert {name: one.why for name, one in read_given(tmp_path / "new").items()} == {"p/b": "onboarded"}
    assert not list((tmp_path / "new").glob("*.partial"))


def test_laid_over_a_configuration() -> None:
    """Given duties replace the file's; unknown ids have no effect; where nothing differs it's the same settings."""
    made = settings_of(*MODELS)
    found = with_duties(made, {"p/a": "retired", "p/b": "serving", "un/known": "shadow"})
    assert [each.duty for each in found.models] == ["retired", "serving", "serving"]
    assert with_duties(made, {"p/b": "waiting"}) is made


def test_aliases_that_nobody_serves_behind() -> None:
    """By list and by tag: an alias is left without once the last serving model behind it is gone."""
    made = settings_of(*MODELS, aliases=(Alias("auto"), Alias("next", models=("p/b",)), Alias("here", tags=("eu",))))
    assert left_without(made) == ("next",)
    assert left_without(with_duties(made, {"q/c": "shadow", "p/b": "serving"})) == ("here",)
    assert left_without(with_duties(made, {"p/a": "retired", "q/c": "retired"})) == ("auto", "next", "here")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"p/a": "retired"}', '{"p/a": {"duty": "asleep"}}', '{"p/a": {"duty": "retired", "at_s": "x"}}'],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    """It is never taken for an empty one, which would bring retired models back; and nothing is written over it."""
    duties_path(tmp_path).write_text(content)
    for act in (read_duties, lambda state: set_duty(state, "p/a", "serving", "")):
        with pytest.raises(InputError, match="what models may do can't be read"):
            act(tmp_path)
    assert duties_path(tmp_path).read_text() == content


def test_only_known_duties_are_given(tmp_path: Path) -> None:
    """A duty that isn't one, or a model without a name, is refused before anything is written."""
    pairs: tuple[tuple[str, Any], ...] = (("p/a", "asleep"), ("", "retired"))
    for name, duty in pairs:
        with pytest.raises(InputError, match="use one of serving, waiting, shadow, retired"):
            set_duty(tmp_path, name, duty, "")
    assert not duties_path(tmp_path).exists()


def test_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """Eight writers of ten models each: all eighty are there, and a reader never sees a torn file."""

    def write(number: int) -> None:
        for i in range(10):
            set_duty(tmp_path, f"p/{number}-{i}", "shadow", "")
            read_duties(tmp_path)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_duties(tmp_path)) == 80


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p/a", "p/b", "q/c", "x/y"]), st.sampled_from([*DUTIES, None]), st.text(max_size=12)
        ),
        max_size=12,
    )
)
def test_the_file_says_what_a_table_would(acts: list[tuple[str, Duty | None, str]]) -> None:
    """Whatever is given and taken back, in any order: the file and the settings agree with a plain dictionary."""
    with tempfile.TemporaryDirectory() as folder:
        table: dict[str, Duty] = {}
        for name, duty, why in acts:
            if duty is None:
                clear_duty(Path(folder), name)
                table.pop(name, None)
            else:
                set_duty(Path(folder), name, duty, why)
                table[name] = duty
        assert read_duties(Path(folder)) == table
        laid = with_duties(settings_of(*MODELS), read_duties(Path(folder)))
        assert {each.id: each.duty for each in laid.models} == {
            each.id: table.get(each.id, each.duty) for each in MODELS
        }


FILE = """
models:
  - {{id: p/a, base_url: 'http://127.0.0.1:9', rates: free, duty: {a}}}
  - {{id: p/b, base_url: 'http://127.0.0.1:9', rates: free, tags: [eu], duty: {b}}}
aliases: {{auto: {{tags: [eu]}}}}
"""


def test_a_configuration_says_duties(tmp_path: Path) -> None:
    """Each of the four words is read; `serving` where nothing is said; another word is refused with its line."""
    path = tmp_path / "pointsman.yaml"
    for word in DUTIES:
        path.write_text(FILE.format(a=word, b="serving"))
        assert read_settings(path, {}, date(2026, 6, 1)).models[0].duty == word
    path.write_text(FILE.format(a="asleep", b="serving"))
    with pytest.raises(InputError, match="'asleep' is unknown in `duty`"):
        read_settings(path, {}, date(2026, 6, 1))


@pytest.mark.parametrize("word", ["waiting", "shadow", "retired"])
def test_a_configuration_that_serves_nobody_is_refused(tmp_path: Path, word: str) -> None:
    """`auto` needs a serving model among its own; the message says which alias, why, and what to do."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(FILE.format(a="serving", b=word))
    with pytest.raises(InputError, match="no model of alias 'auto' has `duty: serving`") as caught:
        read_settings(path, {}, date(2026, 6, 1))
    assert "pointsman.yaml, line 5" in str(caught.value)
