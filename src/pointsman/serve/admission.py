"""Who may serve a query: the hard filters, before anything is scored.

Takes a query, who asks and what is in force; gives the models that may be asked. What the models' duties, the key, the
alias and the request allow, what the models can do, the length of the prompt, which endpoints are up. The first filter
that leaves nobody is named in the refusal.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from pointsman.pool.settings import Alias
from pointsman.records import Mask
from pointsman.serve.access import Principal
from pointsman.serve.duties import check_named
from pointsman.serve.health import Health
from pointsman.serve.scheme import Scheme, counted_tokens
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query


@dataclass(slots=True)
class Asked:
    """One query on its way to a decision."""

    query: Query
    principal: Principal
    scheme: Scheme
    alias: Alias | None
    allowed: Mask
    input_tokens: float
    drawn: tuple[int, ...]
    since: float


def admit(scheme: Scheme, health: Health, query: Query, principal: Principal) -> Asked:
    """A query that some model may serve.

    Raises:
        Refusal: an unknown model, one that isn't allowed, nobody capable, no endpoint up; names the filter.
    """
    name = query.model
    alias = scheme.aliases.get(name)
    if alias is None and name not in scheme.column:
        raise Refusal(
            "not_found_error",
            f"The model `{name[:200]}` is not known here. GET /v1/models lists those that are; `auto` chooses.",
            param="model",
            code="model_not_found",
        )
    counted = counted_tokens(query.input_chars, query.images)
    allowed = _allowed(scheme, health, query, principal, alias, counted)
    tags = query.wishes.tags + principal.tags
    return Asked(
        query, principal, scheme, alias, allowed, counted, scheme.drawn(principal.key_id, tags), time.perf_counter()
    )


def _allowed(
    scheme: Scheme, health: Health, query: Query, principal: Principal, alias: Alias | None, counted: float
) -> Mask:
    """Models [M] that pass every hard filter; each filter that leaves nobody is named."""
    wishes = query.wishes
    mine = scheme.kept(
        ("allowed", query.model, principal.models, principal.admin, wishes.models, wishes.residency, query.needs),
        lambda: _filtered(scheme, query, principal, alias),
    )
    # The real count is within the `most` ratio, so what fits by the expected one may be tried.
    least_answer = min(query.max_output_tokens or 1, 1 << 40)
    if counted * scheme.most_ratio + least_answer > scheme.least_context:
        mine = mine & (counted * scheme.counting.ratio + least_answer <= scheme.context)
        message = f"The prompt (about {counted:,.0f} tokens) and its answer fit no allowed model's context."
        _some(mine, message, "messages")
    return _with_health(scheme, health, mine)


def _filtered(scheme: Scheme, query: Query, principal: Principal, alias: Alias | None) -> Mask:
    """Models [M] that pass what doesn't depend on the prompt's length or on the moment."""
    named = np.zeros(len(scheme.models), np.bool_)
    if alias is None:
        column = scheme.column[query.model]
        check_named(principal, scheme.models[column])
        named[column] = True
    else:
        named = candidates(scheme, alias)
        _some(named, f"No model is serving behind `{query.model}` now.", "model")
    mine = named & scheme.matching(principal.models)
    if not mine.any():
        raise Refusal("permission_error", f"This key may not use `{query.model}`.", param="model")
    if query.wishes.models:
        mine = mine & scheme.matching(query.wishes.models)
        _some(mine, "None of the models that the request allows may serve it.", "models")
    if query.wishes.residency:
        mine = mine & scheme.with_tags(query.wishes.residency)
        _some(mine, f"No model has all of the tags {', '.join(query.wishes.residency)}.", "residency")
    if alias is not None or query.needs:
        mine = mine & scheme.with_capability(query.needs) if alias is not None else mine & _capable(scheme, query)
        _some(mine, f"No allowed model offers {', '.join(sorted(query.needs)) or 'this API'}.", "model")
    return mine


def candidates(scheme: Scheme, alias: Alias) -> Mask:
    """Models [M] behind an alias that serve."""
    return scheme.matching(alias.models) & scheme.with_tags(alias.tags) & scheme.serving


def _with_health(scheme: Scheme, health: Health, allowed: Mask) -> Mask:
    if not health.troubled:
        return allowed
    now = time.monotonic()
    up = np.array([health.up(model.endpoints, now) for model in scheme.models], np.bool_)
    if not (allowed & up).any():
        raise Refusal("upstream_overloaded", "Every endpoint that could serve this is cooling down.", retry_after_s=5)
    return allowed & up


def _capable(scheme: Scheme, query: Query) -> Mask:
    """A model that the client named must have what the query needs, as far as that can be known."""
    return np.array([query.needs <= model.capabilities for model in scheme.models], np.bool_)


def _some(allowed: Mask, message: str, param: str) -> None:
    if not allowed.any():
        raise Refusal("no_capable_model", message, param=param)
