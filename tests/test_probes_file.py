"""Files of probes: what is written comes back; what can't be used is refused by file, line, field and remedy."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool.probes import DIFFICULTIES, Probe, read_probes, suite, write_probes

FIRST: dict[str, Any] = {"id": "a", "skill": "s", "prompt": "2 + 2?", "grader": {"kind": "numeric", "answer": 4}}
EXAMPLE = """
- id: refund-1
  skill: support
  language: de
  prompt: Wie lange habe ich Zeit, die Ware zurückzugeben?
  grader: {kind: facts, all: [[30 Tage, dreißig Tage]], most_words: 40}
  max_output_tokens: 80
- id: when
  skill: support
  difficulty: hard
  prompt: Which day?
  grader: {kind: exact, answer: 2025-01-31}
"""


def lines(folder: Path, *entries: object) -> Path:
    path = folder / "probes.jsonl"
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in entries))
    return path


def listed(folder: Path, text: str) -> Path:
    path = folder / "probes.yaml"
    path.write_text(text)
    return path


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_probes(path)
    assert str(path) in caught.value.place
    assert caught.value.remedy
    return caught.value


def test_an_example_by_hand(tmp_path: Path) -> None:
    """A YAML list gives probes with what is told, and what stands for what isn't; a date stays a text."""
    first, second = read_probes(listed(tmp_path, EXAMPLE))
    assert (first.id, first.language, first.difficulty, first.origin) == ("refund-1", "de", "medium", "own")
    assert (first.max_output_tokens, second.max_output_tokens) == (80, 256)
    assert second.grader == {"kind": "exact", "answer": "2025-01-31"}
    assert (second.difficulty, second.language, second.tools, second.system) == ("hard", "en", (), "")


def test_lines_of_json_by_hand(tmp_path: Path) -> None:
    """JSON lines give the same; blank lines don't count, nor does a mark at the file's start."""
    path = lines(tmp_path, "\ufeff" + json.dumps(FIRST), "", FIRST | {"id": "b", "prompt": "3 + 1?", "system": None})
    found = read_probes(path)
    assert [probe.id for probe in found] == ["a", "b"]
    assert found[0] == Probe("a", "s", "medium", "en", "2 + 2?", {"kind": "numeric", "answer": 4}, origin="own")


@pytest.mark.parametrize("name", ["all.jsonl", "all.yaml"])
def test_the_suite_comes_back(tmp_path: Path, name: str) -> None:
    """The whole suite, tools, tables and all, is what was written."""
    probes = suite(3)[::3] if name.endswith("yaml") else suite(3)
    write_probes(probes, tmp_path / name)
    assert read_probes(tmp_path / name) == tuple(probes)
    assert [path.name for path in tmp_path.iterdir()] == [name]


words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
probes_of = st.lists(
    st.builds(
        Probe,
        id=words,
        skill=words,
        difficulty=st.sampled_from(DIFFICULTIES),
        language=st.sampled_from(["en", "no", "zh-Hant"]),
        prompt=words,
        grader=st.integers().map(lambda answer: {"kind": "numeric", "answer": answer % 10**9, "tolerance": 0.5}),
        system=st.just("") | words,
        tools=st.sampled_from([(), (tool,)]),
        max_output_tokens=st.integers(1, 8_192),
        origin=words | st.sampled_from(["own", "pointsman"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=(lambda probe: probe.id, lambda probe: probe.prompt),
)


@settings(max_examples=60, deadline=None)
@given(probes=probes_of, kind=st.sampled_from(["jsonl", "yaml"]))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, probes: list[Probe], kind: str) -> None:
    """Any probes, any characters, in both forms."""
    path = tmp_path_factory.getbasetemp() / f"round.{kind}"
    write_probes(probes, path)
    assert read_probes(path) == tuple(probes)


@pytest.mark.parametrize(
    ("entry", "what", "remedy"),
    [
        (FIRST | {"promt": "x"}, "key `promt` is unknown", "did you mean `prompt`"),
        ({key: FIRST[key] for key in ("id", "skill", "prompt")}, "`grader` is missing", "add `grader: …`"),
        (FIRST | {"id": 7}, "`id` is 7, not a text", "put it in quotes"),
        (FIRST | {"prompt": ["x"]}, "`prompt` is a list, not a text", "put it in quotes"),
        (FIRST | {"max_output_tokens": "9"}, "`max_output_tokens` is '9', not a whole number", "write a whole number"),
        (FIRST | {"max_output_tokens": True}, "`max_output_tokens` is True", "write a whole number"),
        (FIRST | {"max_output_tokens": 0}, "max_output_tokens is 0", "use 1 to 8192"),
        (FIRST | {"difficulty": "middling"}, "difficulty 'middling' is unknown", "use one of easy, medium, hard"),
        (FIRST | {"language": ""}, "`language` is empty", "give it a text"),
        (FIRST | {"tools": [{"name": "x"}]}, "`tools` holds something that is no tool", 'write `{"type"'),
        (FIRST | {"grader": {"kind": "numerc"}}, "kind 'numerc' is unknown", "did you mean `numeric`"),
        (FIRST | {"grader": {"kind": "numeric"}}, "`answer`", ""),
        (FIRST | {"grader": {"kind": "numeric", "answer": 1, "tolerence": 1}}, "`tolerence`", "`tolerance`"),
        (FIRST | {"prompt": "a\x00b"}, "`prompt` holds a zero character", "remove it"),
        (FIRST | {"grader": {"kind": "exact", "answer": "\ud800"}}, "JSON doesn't have", "plain"),
        (FIRST | {"grader": {"kind": "numeric", "answer": float("nan")}}, "JSON doesn't have", "plain"),
        ("[1, 2]", "this is no mapping", "`key: value` pairs"),
        ('{"id": "a", "id": "b"}', "key `id` is given twice", "leave one of them"),
        ('{"id": "a",', "this is not JSON", "check column"),
        ('{"id": ' + "9" * 5_000 + "}", "JSON doesn't have", "plain"),
        ("[" * 100_000, "JSON doesn't have", "plain"),
    ],
)
def test_an_entry_that_cannot_be_used(tmp_path: Path, entry: object, what: str, remedy: str) -> None:
    """Each is refused with its line, what is wrong with it, and what to do."""
    found = refused(lines(tmp_path, FIRST | {"id": "first", "prompt": "1 + 1?"}, entry))
    assert what in found.what
    assert remedy in found.remedy
    assert "line 2" in found.place


def test_an_error_of_a_grader_names_the_probe(tmp_path: Path) -> None:
    """A grader's own refusal is told with file, line and probe."""
    found = refused(
        lines(tmp_path, FIRST | {"grader": {"kind": "choice", "answer": "C", "options": {"A": "x", "B": "y"}}})
    )
    assert "line 1, probe 'a', grader of kind `choice`" in found.place


def test_a_judged_probe_needs_no_judge_to_be_read(tmp_path: Path) -> None:
    """Who judges is settled later; the rubric's form is checked all the same."""
    judged = FIRST | {"grader": {"kind": "judge", "rubric": "Is it kind?"}}
    assert read_probes(lines(tmp_path, judged))[0].grader["kind"] == "judge"
    assert "rubric" in refused(lines(tmp_path, FIRST | {"grader": {"kind": "judge"}})).what


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("- id: a\n  skill: s\n  prompt: x\n  id: b\n", "key `id` is given twice", "line 1"),
        ("- id: [\n", "this is not YAML", "line 2"),
        ("id: a\n", "the file is no list", ""),
        ("- !!binary aGk=\n- 3\n", "this is no mapping", "line 1"),
        ("- {id: a, skill: s, prompt: x, grader: {kind: exact, answer: !!binary aGk=}}", "JSON doesn't have", "line 1"),
        ("- &a {id: a, skill: s, prompt: x, grader: *a}", "this is not YAML", "line 1"),
        (
            "- {id: a, skill: s, language: no, prompt: x, grader: {kind: exact, answer: y}}",
            "`language` is False",
            "line 1",
        ),
        ("- !!int x\n", "JSON doesn't have", ""),
        ("- !!python/object:os.system {}\n", "this is not YAML", "line 1"),
        ("[" * 600, "JSON doesn't have", ""),
        ("", "holds no probes", ""),
        ("# nothing\n", "holds no probes", ""),
    ],
)
def test_yaml_that_cannot_be_used(tmp_path: Path, text: str, what: str, place: str) -> None:
    """So it is with YAML; nothing in it is ever run."""
    found = refused(listed(tmp_path, text))
    assert what in found.what
    assert place in found.place


def test_twins_are_refused(tmp_path: Path) -> None:
    """No id and no prompt stands twice; the refusal names both places."""
    found = refused(lines(tmp_path, FIRST, FIRST | {"prompt": "5 - 1?"}))
    assert found.what.endswith("probes.jsonl, line 1 already")
    assert found.place.endswith("line 2")
    assert "same as at" in refused(lines(tmp_path, FIRST, FIRST | {"id": "b"})).what


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Another ending, no file, a folder, or something else than UTF-8."""
    (tmp_path / "probes.csv").write_text("id\n")
    assert "ends in '.csv'" in refused(tmp_path / "probes.csv").what
    assert "No such file" in refused(tmp_path / "none.yaml").what
    (tmp_path / "folder.yaml").mkdir()
    assert "Is a directory" in refused(tmp_path / "folder.yaml").what
    (tmp_path / "latin.yaml").write_bytes("- für".encode("latin-1"))
    assert "not UTF-8" in refused(tmp_path / "latin.yaml").what


def test_what_cannot_be_written_leaves_the_file(tmp_path: Path) -> None:
    """A folder that isn't there or another ending is refused; nothing half-written is left."""
    probes = suite()[:2]
    with pytest.raises(InputError, match="cannot be written"):
        write_probes(probes, tmp_path / "none" / "probes.yaml")
    with pytest.raises(InputError, match="name it"):
        write_probes(probes, tmp_path / "probes.txt")
    (tmp_path / "taken.yaml").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_probes(probes, tmp_path / "taken.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.yaml"]


def test_the_page_tells_every_key(tmp_path: Path) -> None:
    """The example of docs/probes.md is read as it stands, and its table has each key with its default."""
    page = (Path(__file__).parent.parent / "docs" / "probes.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    assert len(read_probes(listed(tmp_path, example))) == 2
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    bare = read_probes(lines(tmp_path, FIRST))[0]
    assert set(told) == {field.name for field in fields(Probe)}
    for key in ("difficulty", "language", "max_output_tokens", "origin"):
        assert told[key].strip("`") == str(getattr(bare, key))
