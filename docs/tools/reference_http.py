"""The HTTP reference: every path of the OpenAPI document that the gateway serves, with the fields of its body."""

from __future__ import annotations

from typing import Any

from pointsman.serve.openapi import document
from pointsman.serve.wire.errors import STATUS

Schema = dict[str, Any]
GROUPS = {"/v1/": "Queries, and what came of them", "/admin/": "Administration", "": "Health and metrics"}


def http_page() -> str:
    """Markdown: the paths by group, and the refusals."""
    paths = document()["paths"]
    groups: dict[str, list[str]] = {title: [] for title in GROUPS.values()}
    for path, methods in paths.items():
        title = next(title for prefix, title in GROUPS.items() if path.startswith(prefix))
        groups[title] += [_operation(method, path, one) for method, one in methods.items()]
    parts = [f"## {title}\n\n" + "\n\n".join(found) for title, found in groups.items()]
    return "\n\n".join([*parts, _refusals()])


def _operation(method: str, path: str, one: Schema) -> str:
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return f"### `{method.upper()} {path}`\n\n{one['summary']}." + ("" if body is None else f"\n\n{_fields(body)}")


def _fields(body: Schema) -> str:
    required = body.get("required", ())
    rows = [
        f"| `{name}` | {_type(schema)} | {'yes' if name in required else ''} | {schema.get('description', '')} |"
        for name, schema in body["properties"].items()
    ]
    more = "\n\nFurther fields are passed on to the model." if body.get("additionalProperties") is True else ""
    return "\n".join(["| field | type | required | |", "|---|---|---|---|", *rows]) + more


def _type(schema: Schema) -> str:
    """A schema in a few words."""
    if "oneOf" in schema:
        return " or ".join(_type(one) for one in schema["oneOf"])
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kind = str(schema["type"])
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "properties" in schema:
        return "object of " + ", ".join(f"`{name}`" for name in schema["properties"])
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return "" if least is None else f", at least {least:,}"


def _refusals() -> str:
    rows = [f"| `{kind}` | {status} |" for kind, status in sorted(STATUS.items(), key=lambda pair: (pair[1], pair[0]))]
    return "\n".join(["## Refusals", "", "| `error.type` | status |", "|---|---|", *rows])
