"""The API's description: one OpenAPI document, made of a table of what there is, and a page of it for people.

The bodies of queries are OpenAI's and Anthropic's own; what this gateway adds to them or needs of them is said here,
and everything else is passed through. The page needs no script and nothing from another host. What is below `/ui/api`
is the dashboard's own, may change with any release, and isn't described here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment

from pointsman import __version__
from pointsman.serve.wire.errors import STATUS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WISHES: Schema = {
    "type": "object",
    "description": "What is asked of the router itself; each field has a header `x-pointsman-…` too.",
    "properties": {
        "models": {"type": "array", "items": TEXT, "description": "Candidates it may choose from, with `*`."},
        "trade_off": {"type": "number", "minimum": 0, "maximum": 10, "description": "0 is quality alone, 10 cheapest."},
        "max_cost_usd": {"type": "number", "minimum": 0},
        "session": TEXT,
        "tags": {"type": "array", "items": TEXT},
        "residency": {"type": "array", "items": TEXT},
        "debug": {"type": "boolean"},
        "stream_cost": {"type": "boolean"},
    },
    "additionalProperties": False,
}
MODEL: Schema = {"type": "string", "description": "`auto`, another alias, or a model's id.", "examples": ["auto"]}
TURN: Schema = {
    "type": "object",
    "properties": {"role": {"enum": ["user", "assistant"]}, "content": TEXT},
    "required": ["role", "content"],
}


def _query(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"model": MODEL, **required, **optional, "stream": {"type": "boolean"}, "pointsman": WISHES},
        "required": ["model", *required],
        "additionalProperties": True,
    }


TURNS: Schema = {"type": "array", "items": TURN, "minItems": 1}
COUNT: Schema = {"type": "integer", "minimum": 1}
QUERIES: dict[str, tuple[str, Schema]] = {
    "/v1/chat/completions": ("Chat completions, OpenAI's shape", _query({"messages": TURNS}, max_tokens=COUNT)),
    "/v1/completions": ("Completions, OpenAI's shape", _query({"prompt": TEXT}, max_tokens=COUNT)),
    "/v1/responses": ("Responses, OpenAI's shape", _query({"input": TEXT}, max_output_tokens=COUNT)),
    "/v1/embeddings": ("Embeddings, OpenAI's shape", _query({"input": TEXT})),
    "/v1/messages": ("Messages, Anthropic's shape", _query({"max_tokens": COUNT, "messages": TURNS})),
    "/v1/messages/count_tokens": ("How many tokens a prompt has, estimated", _query({"messages": TURNS})),
    "/v1/route": ("The decision alone: nothing is held, nobody is asked", _query({"messages": TURNS})),
}
FEEDBACK: Schema = {
    "type": "object",
    "properties": {"decision_id": TEXT, "score": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["decision_id", "score"],
    "additionalProperties": False,
}
NEW_KEY: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        "models": {"type": "array", "items": TEXT},
        "tags": {"type": "array", "items": TEXT},
        "expires_in_s": {"type": "integer", "minimum": 1, "maximum": 10**9},
        "budget_usd": {"oneOf": [{"type": "number", "minimum": 0, "maximum": 10**9}, TEXT]},
        "budget_window": {"type": "object"},
        "requests_per_minute": {"type": "integer", "minimum": 0, "maximum": 10**12},
        "tokens_per_minute": {"type": "integer", "minimum": 0, "maximum": 10**12},
    },
    "additionalProperties": False,
}
ONBOARDING: Schema = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "maxLength": 256},
        "probes": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "budget_usd": {"oneOf": [{"type": "number", "minimum": 0, "maximum": 10**9}, TEXT]},
        "shadow": {"type": "boolean"},
        "judge": {"type": "string", "maxLength": 256},
    },
    "required": ["model"],
    "additionalProperties": False,
}
# (method, path, what it is, its body, the name in its path)
OTHERS: tuple[tuple[str, str, str, Schema | None, str | None], ...] = (
    ("get", "/v1/models", "The models and aliases that the key may use", None, None),
    ("get", "/v1/models/{id}", "One of them", None, "id"),
    (
        "post",
        "/v1/feedback",
        "A score for a decision: it completes the outcome that estimates learn from",
        FEEDBACK,
        None,
    ),
    ("get", "/v1/decisions/{id}", "Why this model, what it cost, every hop", None, "id"),
    ("get", "/v1/funds", "What every fund has, holds and has spent, and what a unit of it is worth now", None, None),
    ("get", "/health/liveliness", "The process answers", None, None),
    ("get", "/health/readiness", "It can decide and book", None, None),
    ("get", "/metrics", "Prometheus metrics, over all workers", None, None),
    ("get", "/admin/keys", "All virtual keys, without their secrets", None, None),
    ("post", "/admin/keys", "A new virtual key; its secret is in this answer and nowhere else", NEW_KEY, None),
    ("delete", "/admin/keys/{id}", "Ends a key", None, "id"),
    ("post", "/admin/reload", "Reads the configuration again", None, None),
    ("get", "/admin/audit", "Folds the ledger and compares", None, None),
    ("get", "/admin/alarms", "What the drift watch has found: what changed, since when, by how much", None, None),
    ("post", "/admin/alarms/{id}/acknowledge", "Says that somebody knows of an alarm", None, "id"),
    ("get", "/admin/config", "What is in force, without secrets", None, None),
    ("post", "/admin/refit", "Fits estimators on what is stored by now, in the background", None, None),
    ("get", "/admin/onboardings", "What every onboarding has come to", None, None),
    ("post", "/admin/onboardings", "Onboards a model, in a process beside the gateway", ONBOARDING, None),
    ("get", "/admin/onboardings/{model}", "How far one is, and its profile", None, "model"),
    ("delete", "/admin/onboardings/{model}", "Ends one; everything that it asked is kept", None, "model"),
)


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for path, (what, body) in QUERIES.items():
        paths[path] = {"post": _operation("post", path, what, body, None)}
    for method, path, what, given, name in OTHERS:
        paths.setdefault(path, {})[method] = _operation(method, path, what, given, name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": __version__,
            "description": "OpenAI's and Anthropic's APIs in front of many models, every query routed within funds.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _error()},
        },
        "security": [{"key": []}],
    }


def _operation(method: str, path: str, what: str, body: Schema | None, name: str | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": what,
        "operationId": f"{method}{path.replace('/', '_').replace('{', '').replace('}', '')}",
        "responses": {
            "200": {"description": "Done"},
            "201": {"description": "Made"},
            "202": {"description": "Begun"},
            "4XX": _refusal("Refused: the message says why and what to do"),
            "5XX": _refusal("An upstream failed, or the ledger can't be reached"),
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if name is not None:
        operation["parameters"] = [{"name": name, "in": "path", "required": True, "schema": TEXT}]
    return operation


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}


def _error() -> Schema:
    return {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": TEXT,
                    "type": {"enum": sorted(STATUS)},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    }


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pointsman: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
code,pre{font:14px/1.4 ui-monospace,monospace} details{border-top:1px solid #ddd;padding:.5rem 0}
summary{cursor:pointer} summary b{display:inline-block;width:4.5rem}
pre{overflow:auto;background:#f5f5f5;padding:.75rem}
@media (prefers-color-scheme:dark){body{color:#eee;background:#161616} pre{background:#222} details{border-color:#333}}
</style></head><body>
<h1>Pointsman {{ version }}</h1>
<p>OpenAI's and Anthropic's APIs in front of many models. The whole description:
<a href="/openapi.json">openapi.json</a>.</p>
{% for path, methods in paths.items() %}{% for method, one in methods.items() %}
<details><summary><b>{{ method|upper }}</b><code>{{ path }}</code> {{ one.summary }}</summary>
{% if one.requestBody %}<pre>{{ one.requestBody.content["application/json"].schema|tojson(indent=2) }}</pre>
{% else %}<p>No body.</p>{% endif %}</details>
{% endfor %}{% endfor %}
</body></html>
"""


@lru_cache(maxsize=1)
def docs_page() -> str:
    """The document as a page."""
    whole = document()
    return Environment(autoescape=True).from_string(PAGE).render(version=__version__, paths=whole["paths"])
