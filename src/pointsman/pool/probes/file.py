"""Files of probes: JSON lines (`.jsonl`) or a YAML list (`.yaml`, `.yml`), read with care and written whole.

Takes a path; gives probes whose graders are known to be usable, or an `InputError` that names file, line, field and
remedy. Unknown keys, keys or ids given twice and a prompt that stands twice are refused: outcomes are kept by prompt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import yaml

from pointsman.errors import InputError
from pointsman.pool.config_nodes import nearest
from pointsman.pool.graders import grader_of
from pointsman.pool.probes.probe import Probe

FIELDS = tuple(field.name for field in fields(Probe))
REQUIRED = ("id", "skill", "prompt", "grader")
DEFAULTS: Mapping[str, Any] = {"difficulty": "medium", "language": "en", "origin": "own"}
ODD_ENDS = {"\r", "\x85", "\u2028", "\u2029"}
MOST_BYTES = 64 * 2**20
# What a JSON or YAML value of each field has to be, and how to say so.
SHAPES: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(("id", "skill", "difficulty", "language", "prompt", "system", "origin"), (str, "a text")),
    "grader": (dict, "a mapping with a `kind`"),
    "tools": (list, "a list of tools"),
    "max_output_tokens": (int, "a whole number"),
}

Found = tuple[str, Any]  # the place, and what stands there


class _Plain(yaml.SafeLoader):
    """YAML's plain values; what looks like a date stays a text, as it does in JSON."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Quoting(yaml.SafeDumper):
    """Texts with odd line ends in quotes, where they are escaped: YAML would take them for spaces."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """No references between parts that happen to be equal."""
        return True


def _text_node(dumper: yaml.SafeDumper, value: str) -> Any:
    style = '"' if set(value) & ODD_ENDS else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Quoting.add_representer(str, _text_node)


def read_probes(path: Path | str) -> tuple[Probe, ...]:
    """The probes of a file, in its order.

    `id`, `skill`, `prompt` and `grader` must be there; `difficulty` is "medium", `language` "en" and `origin` "own"
    where they aren't.

    Raises:
        InputError: names the file, the line, the field and a remedy.
    """
    path = Path(path)
    entries = _entries(path, _text(path))
    if not entries:
        raise InputError("holds no probes", place=str(path), remedy="write at least one; see docs/probes.md")
    found = tuple(_probe(place, value) for place, value in entries)
    _check_unlike([place for place, _ in entries], found)
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError("is larger than 64 MB", place=str(path), remedy="split it into several files")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", place=str(path), remedy="check the path"
        ) from None
    except UnicodeDecodeError:
        raise InputError("this is not UTF-8 text", place=str(path), remedy="save it as UTF-8") from None


def _entries(path: Path, text: str) -> list[Found]:
    kind = path.suffix.lower()
    if kind == ".jsonl":
        return [*_lines(path, text)]
    if kind in {".yaml", ".yml"}:
        return _listed(path, text)
    raise InputError(f"ends in {kind or 'nothing'!r}", place=str(path), remedy="name it .jsonl or .yaml")


def _lines(path: Path, text: str) -> Iterator[Found]:
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path}, line {number}"
        if line.strip():
            yield place, _json(line, place)


def _json(line: str, place: str) -> Any:
    def unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check_once([key for key, _ in pairs], place)
        return dict(pairs)

    try:
        return json.loads(line, object_pairs_hook=unlike)
    except json.JSONDecodeError as error:
        remedy = f"check column {error.colno}; each line is one object"
        raise InputError(f"this is not JSON: {error.msg}", place=place, remedy=remedy) from None
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise _unsound(place) from None


def _unsound(place: str) -> InputError:
    what = "holds a value that is too large, nested too deeply, or that JSON doesn't have"
    return InputError(what, place=place, remedy="use plain texts, numbers, lists and mappings")


def _check_once(keys: Iterable[str], place: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise InputError(f"key `{key}` is given twice", place=place, remedy="leave one of them")
        seen.add(key)


def _listed(path: Path, text: str) -> list[Found]:
    loader = _Plain(text)
    try:
        top = loader.get_single_node()
        if top is None:
            return []
        if not isinstance(top, yaml.SequenceNode):
            raise InputError("the file is no list", place=str(path), remedy="begin each probe with `- id: …`")
        return [(f"{path}, line {_line(node)}", _built(loader, node, path)) for node in top.value]
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise _unsound(str(path)) from None
    finally:
        loader.dispose()


def _built(loader: _Plain, node: Any, path: Path) -> Any:
    if isinstance(node, yaml.MappingNode):
        _check_once([str(key.value) for key, _ in node.value], f"{path}, line {_line(node)}")
    return loader.construct_object(node, deep=True)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _not_yaml(path: Path, error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or "a character is not allowed"
    return InputError(f"this is not YAML: {problem}", place=place, remedy="check indents, colons and quotes there")


def _probe(place: str, value: Any) -> Probe:
    """The probe of an entry, its grader tried."""
    if not isinstance(value, dict):
        raise InputError("this is no mapping", place=place, remedy="write a probe's `key: value` pairs")
    _check_sound(place, value)
    for key in value:
        if key not in FIELDS:
            raise InputError(f"key `{key}` is unknown", place=place, remedy=nearest(str(key), FIELDS))
    given = {key: inner for key, inner in value.items() if inner is not None}
    for key in REQUIRED:
        if key not in given:
            raise InputError(f"`{key}` is missing", place=place, remedy=f"add `{key}: …`; see docs/probes.md")
    for key, inner in given.items():
        _check_shape(place, key, inner)
    if "tools" in given:
        given["tools"] = tuple(_tool(place, tool) for tool in given["tools"])
    return _tried(place, {**DEFAULTS, **given})


def _check_sound(place: str, value: Any) -> None:
    """Whether it can be written as JSON in UTF-8: no bytes or sets of YAML, no NaN, no half characters, no circles."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise _unsound(place) from None


def _check_shape(place: str, key: str, value: Any) -> None:
    shape, said = SHAPES[key]
    if not isinstance(value, shape) or isinstance(value, bool):
        raise InputError(f"`{key}` is {_shown(value)}, not {said}", place=place, remedy=_remedy(shape, said))
    if isinstance(value, str) and "\x00" in value:
        raise InputError(f"`{key}` holds a zero character", place=place, remedy="remove it")


def _remedy(shape: type, said: str) -> str:
    return "put it in quotes" if shape is str else f"write {said}"


def _shown(value: Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else repr(value)[:40]


def _tool(place: str, tool: Any) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or tool.get("type") != "function":
        remedy = 'write `{"type": "function", "function": {"name": …, "parameters": …}}`'
        raise InputError("`tools` holds something that is no tool", place=place, remedy=remedy)
    return {**tool}


def _silent(_prompt: str) -> str:
    """Stands for the judge, who isn't known yet when a file is read."""
    return ""


def _tried(place: str, given: Mapping[str, Any]) -> Probe:
    """The probe, if its own checks and its grader's let it pass."""
    name = f"{place}, probe {given['id']!r}"
    try:
        probe = Probe(**given)
        grader_of(probe.grader, judge=_silent)
    except InputError as error:
        inner = "" if error.place.startswith("probe ") else error.place
        raise InputError(error.what, place=f"{name}, {inner}" if inner else name, remedy=error.remedy) from None
    return probe


def _check_unlike(places: list[str], probes: tuple[Probe, ...]) -> None:
    """No id and no prompt twice."""
    ids: dict[str, str] = {}
    prompts: dict[str, str] = {}
    for place, probe in zip(places, probes, strict=True):
        if probe.id in ids:
            what = f"id {probe.id!r} stands at {ids[probe.id]} already"
            raise InputError(what, place=place, remedy="give it another")
        if probe.prompt in prompts:
            remedy = "change or remove one: outcomes are kept by prompt"
            raise InputError(f"`prompt` is the same as at {prompts[probe.prompt]}", place=place, remedy=remedy)
        ids[probe.id], prompts[probe.prompt] = place, place


def write_probes(probes: Iterable[Probe], path: Path | str) -> None:
    """Writes a file that `read_probes` gives back, JSON lines or YAML by its name; made aside, then renamed.

    Raises:
        InputError: another ending, or a place that can't be written. What was there is unchanged then.
    """
    path = Path(path)
    entries = [_entry(probe) for probe in probes]
    kind = path.suffix.lower()
    if kind == ".jsonl":
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    elif kind in {".yaml", ".yml"}:
        text = yaml.dump(entries, Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=110)
    else:
        raise InputError(f"ends in {kind or 'nothing'!r}", place=str(path), remedy="name it .jsonl or .yaml")
    _placed(text, path)


def _entry(probe: Probe) -> dict[str, Any]:
    """A probe's fields, without those that hold what is taken where they are missing."""
    silent = {field.name: field.default for field in fields(Probe) if field.default is not MISSING}
    silent |= DEFAULTS
    plain = json.loads(json.dumps({name: getattr(probe, name) for name in FIELDS}, default=dict))
    return {key: value for key, value in plain.items() if key not in silent or getattr(probe, key) != silent[key]}


def _placed(text: str, path: Path) -> None:
    aside = None
    try:
        handle, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
        aside = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        raise InputError(what, place=str(path), remedy="choose a folder that can be written") from None
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
