"""The reply is JSON that fits a schema, and holds a value where one is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import jsonschema_rs

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import fenced, shortened, spoken

NEAR = 1e-9
MOST_STARTS = 50


@dataclass(frozen=True, slots=True)
class Structured:
    """Checks a schema and a value."""

    schema: Any
    validator: jsonschema_rs.Validator
    equals: tuple[Any, ...]
    unordered: bool
    kind: ClassVar[str] = "json"
    blind_to: ClassVar[str] = "whether values that fit the schema are true, where no value to equal is given"

    def grade(self, reply: Reply) -> Grade:
        """1 where the reply's JSON fits the schema and equals the value, if any; else 0."""
        try:
            found = json_in(spoken(reply.text))
        except ValueError as error:
            return Grade(0.0, str(error))
        wrong = self._wrong(found)
        return Grade(0.0, wrong) if wrong else Grade(1.0, "it fits")

    def _wrong(self, found: Any) -> str:
        try:
            self.validator.validate(found)
        except jsonschema_rs.ValidationError as error:
            return f"it doesn't fit the schema: {shortened(error.message, 160)}"
        except (ValueError, OverflowError) as error:
            return f"it can't be checked: {shortened(str(error), 160)}"
        if self.equals and not same(found, self.equals[0], unordered=self.unordered):
            return f"it fits the schema, but is {shortened(json.dumps(found, ensure_ascii=False), 100)}"
        return ""


def json_in(text: str) -> Any:
    """The JSON value of a reply: all of it, else the last fenced block that is JSON, else the first object or list.

    Raises:
        ValueError: there is none.
    """
    blocks = [content for language, content in reversed(fenced(text)) if language in {"", "json", "json5", "jsonc"}]
    for part in (text, *blocks):
        try:
            return strict(part)
        except (ValueError, RecursionError):
            continue
    return _inside(text)


def strict(text: str) -> Any:
    """A JSON value by the standard: no NaN, no name twice.

    Raises:
        ValueError: it's none.
    """
    return json.loads(text.strip(), parse_constant=_refused, object_pairs_hook=_object)


def _inside(text: str) -> Any:
    decoder = json.JSONDecoder(parse_constant=_refused, object_pairs_hook=_object)
    starts = [index for index, one in enumerate(text) if one in "{["]
    for start in starts[:MOST_STARTS]:
        try:
            return decoder.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            continue
    raise ValueError("it holds no JSON")


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def same(found: Any, wanted: Any, *, unordered: bool = False, loose: bool = False) -> bool:
    """Whether two JSON values are the same.

    Args:
        found: from the reply.
        wanted: from the spec.
        unordered: lists in any order.
        loose: texts without case, and space at the ends.
    """
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return _near(found, wanted)
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted or (loose and found.strip().casefold() == wanted.strip().casefold())
    if isinstance(found, dict) and isinstance(wanted, dict):
        shared = found.keys() == wanted.keys()
        return shared and all(same(found[key], wanted[key], unordered=unordered, loose=loose) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        pair = _paired if unordered else _in_order
        return len(found) == len(wanted) and pair(found, wanted, loose)
    return found is None and wanted is None


def _near(found: float, wanted: float) -> bool:
    try:
        return found == wanted or abs(found - wanted) <= NEAR * abs(wanted)
    except OverflowError:
        return False


def _in_order(found: list[Any], wanted: list[Any], loose: bool) -> bool:
    return all(same(a, b, loose=loose) for a, b in zip(found, wanted, strict=True))


def _paired(found: list[Any], wanted: list[Any], loose: bool) -> bool:
    left = list(wanted)
    for one in found:
        match = next((i for i, other in enumerate(left) if same(one, other, unordered=True, loose=loose)), None)
        if match is None:
            return False
        del left[match]
    return True


def structured_of(fields: Fields) -> Structured:
    """From `schema`, `equals` and `unordered`."""
    schema = fields.anything("schema")
    schema = True if schema is None else schema
    equals = (fields.anything("equals"),) if "equals" in fields.spec else ()
    fields.known.add("equals")
    if schema is True and not equals:
        raise fields.refusal("schema", "is missing", "give a JSON Schema, or a value to be equal in `equals`")
    return Structured(schema, _validator(fields, schema), equals, fields.truth("unordered"))


def _validator(fields: Fields, schema: Any) -> jsonschema_rs.Validator:
    """A validator that fetches nothing, and whose patterns take time linear in the text."""
    try:
        jsonschema_rs.meta.validate(schema)
        return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
        remedy = "see json-schema.org; it may not refer to other addresses, nor look around in patterns"
        raise fields.refusal("schema", f"is no JSON Schema ({shortened(str(error), 120)})", remedy) from None
