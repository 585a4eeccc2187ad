"""A YAML file as entries that know their line, so that every refusal can name it.

Takes a path and an environment; gives entries. It builds no Python values from YAML by itself: a number keeps the
text that stands in the file, so that money is read exactly. Keys that nobody asked for and keys given twice are
refused, with the nearest key that is known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pointsman.errors import InputError

ENVIRONMENT = "os.environ/"
NULL = "tag:yaml.org,2002:null"
MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the file, where it stands, and what it's called there.

    Attributes:
        node: as PyYAML composed it.
        name: the key before it, or its place in a list.
        path: the file.
        environ: where `os.environ/NAME` is looked up.
    """

    node: Any
    name: str
    path: Path
    environ: Mapping[str, str]

    @property
    def place(self) -> str:
        """File and line, counted from 1."""
        return f"{self.path}, line {self.node.start_mark.line + 1}"

    @property
    def is_mapping(self) -> bool:
        """Whether it holds keys and values."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it holds a list."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_null(self) -> bool:
        """Whether nothing, `null` or `~` stands there."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == NULL

    def refusal(self, what: str, remedy: str) -> InputError:
        """An error with this entry's place, to be raised."""
        return InputError(what, place=self.place, remedy=remedy)

    def _named(self, node: Any, name: str) -> Entry:
        return Entry(node, name, self.path, self.environ)

    def pairs(self, _above: tuple[Any, ...] = ()) -> dict[str, Entry]:
        """Keys and values as they stand; a `<<` brings in keys that aren't given beside it.

        Raises:
            InputError: not a mapping, a key that is no text, or the same key twice.
        """
        if not self.is_mapping:
            raise self.refusal(f"`{self.name}` is no mapping", "write `key: value` pairs below it")
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in self.node.value:
            if key.tag == MERGE:
                merged = self._merged(value, _above) | merged
                continue
            name = self._key(key)
            if name in own:
                raise self._named(key, name).refusal(f"key `{name}` is given twice", "leave one of them")
            own[name] = self._named(value, name)
        return merged | own

    def _merged(self, node: Any, above: tuple[Any, ...]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if source is self.node or any(source is one for one in above):
                raise self.refusal("a `<<` leads back to the mapping that it stands in", "merge another one")
            found = self._named(source, "<<").pairs((*above, self.node)) | found
        return found

    def _key(self, key: Any) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise self._named(key, self.name).refusal("a key is a list or a mapping", "write a name before the colon")
        return str(key.value)

    def fields(self, known: Collection[str]) -> dict[str, Entry]:
        """Keys and values; keys without a value are as if they weren't there.

        Raises:
            InputError: as for `pairs`, or a key that isn't known.
        """
        found = self.pairs()
        for name, entry in found.items():
            if name not in known:
                raise entry.refusal(f"key `{name}` is unknown in `{self.name}`", nearest(name, known))
        return {name: entry for name, entry in found.items() if not entry.is_null}

    def items(self) -> Iterator[Entry]:
        """The entries of a list.

        Raises:
            InputError: not a list.
        """
        if not self.is_list:
            raise self.refusal(f"`{self.name}` is no list", "write `- …` lines below it, or `[…, …]`")
        for index, node in enumerate(self.node.value):
            yield self._named(node, f"{self.name}[{index}]")

    @property
    def written(self) -> str:
        """The text of a single value, as it stands in the file.

        Raises:
            InputError: a list, a mapping or nothing.
        """
        if not isinstance(self.node, yaml.ScalarNode) or self.is_null:
            raise self.refusal(f"`{self.name}` is no single value", f"write `{self.name}: …` on one line")
        return str(self.node.value).strip()

    @property
    def text(self) -> str:
        """The text of a single value, with `os.environ/NAME` looked up.

        Raises:
            InputError: no single value, empty, or a variable that isn't set; names the variable.
        """
        written = self.written
        if not written.startswith(ENVIRONMENT):
            return self._filled(written)
        return self.variable(written.removeprefix(ENVIRONMENT), self.name)

    def variable(self, name: str, wanted: str) -> str:
        """The value of an environment variable, for the key `wanted` of this entry.

        Raises:
            InputError: it isn't set, or is empty; names the variable.
        """
        found = self.environ.get(name, "").strip()
        if not found:
            raise self.refusal(f"environment variable {name} is not set", f"set it, or change `{wanted}`")
        return found

    def _filled(self, written: str) -> str:
        if not written:
            raise self.refusal(f"`{self.name}` is empty", f"give it a value, or leave `{self.name}` out")
        return written


def nearest(name: str, known: Collection[str]) -> str:
    """A remedy for an unknown name: the one that was probably meant, else all of them."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean `{close[0]}`" if close else f"use {', '.join(f'`{one}`' for one in known)}"


def compose(path: Path, environ: Mapping[str, str]) -> Entry:
    """The top of a YAML file.

    Raises:
        InputError: no such file, not text, not YAML (with the line), nothing in it, or nested too deeply.
    """
    remedy = "see docs/configuration.md, or write a first one with `pointsman init`"
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", place=str(path), remedy=remedy) from None
    except UnicodeDecodeError:
        raise InputError("this is not UTF-8 text", place=str(path), remedy=remedy) from None
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    except RecursionError:
        raise InputError("lists or mappings are nested too deeply", place=str(path), remedy=remedy) from None
    if node is None:
        raise InputError("the file is empty", place=str(path), remedy=remedy)
    return Entry(node, "the file", path, environ)


def _not_yaml(path: Path, error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or "a character is not allowed"
    return InputError(f"this is not YAML: {problem}", place=place, remedy="check indents, colons and quotes there")
