"""Errors that a client may see: a closed vocabulary, each with its HTTP status, in OpenAI's and Anthropic's shapes.

`Refusal` is raised anywhere in this room and turned into an answer at the rim. Its message is for the client: it
never carries a key, a prompt, an upstream's address or a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_exceeded",
    "budget_exceeded",
    "not_worth_it",
    "no_capable_model",
    "unknown_rate",
    "upstream_error",
    "upstream_timeout",
    "upstream_overloaded",
    "ledger_unavailable",
    "overloaded",
    "server_error",
]

STATUS: dict[ErrorType, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "unknown_rate": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "no_capable_model": 422,
    "rate_limit_exceeded": 429,
    "budget_exceeded": 429,
    "not_worth_it": 429,
    "server_error": 500,
    "upstream_error": 502,
    "upstream_timeout": 504,
    "upstream_overloaded": 503,
    "ledger_unavailable": 503,
    "overloaded": 503,
}

# What Anthropic's clients know; the rest becomes `api_error`.
ANTHROPIC_TYPE: dict[ErrorType, str] = {
    "invalid_request_error": "invalid_request_error",
    "no_capable_model": "invalid_request_error",
    "authentication_error": "authentication_error",
    "permission_error": "permission_error",
    "unknown_rate": "billing_error",
    "not_found_error": "not_found_error",
    "request_too_large": "request_too_large",
    "rate_limit_exceeded": "rate_limit_error",
    "budget_exceeded": "rate_limit_error",
    "not_worth_it": "rate_limit_error",
    "upstream_timeout": "timeout_error",
    "upstream_overloaded": "overloaded_error",
    "overloaded": "overloaded_error",
}


@dataclass(slots=True)
class Refusal(Exception):  # noqa: N818 (an answer, not an error of ours)
    """A request that isn't served, and why.

    Args:
        type: one of the vocabulary.
        message: one or two sentences for the client, with the remedy.
        param: the field of the request that it is about.
        code: a finer name, for example the fund that is short.
        retry_after_s: when to try again; None where that would not help.
        status: other than the type's own, for an upstream's 4xx passed on.
    """

    type: ErrorType
    message: str
    param: str | None = None
    code: str | None = None
    retry_after_s: float | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.status = self.status or STATUS[self.type]

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"

    def openai(self) -> dict[str, Any]:
        """The body as OpenAI's clients read it."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def anthropic(self) -> dict[str, Any]:
        """The body as Anthropic's clients read it."""
        kind = ANTHROPIC_TYPE.get(self.type, "api_error")
        return {"type": "error", "error": {"type": kind, "message": self.message}}
