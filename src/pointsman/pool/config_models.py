"""The `models` of a configuration: who may answer, where, and at what rates.

An id that begins with a provider from `pool.providers` needs nothing else. A key that belongs to a provider is never
sent to another address unless the file says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args
from urllib.parse import urlsplit

from pointsman.pool.cards import Capability, Duty, Endpoint, Model, Rates, Shape, Tier, UpstreamKind
from pointsman.pool.config_nodes import Entry
from pointsman.pool.config_rates import given_rates, looked_up_rates
from pointsman.pool.config_values import (
    address,
    choice,
    choices,
    headers,
    name,
    names,
    number,
    on_loopback,
    secret,
    text,
    whole,
)
from pointsman.pool.providers import NATIVE, PROVIDERS, RESPONSES_HOST, STREAMS, Provider, embeds
from pointsman.pool.rates import known_context

CONNECTION = ("base_url", "kind", "key", "model", "shapes", "headers")
TRAITS: dict[str, tuple[str, Callable[[Entry], Any]]] = {
    "context": ("context_tokens", whole(least=1)),
    "max_output": ("max_output_tokens", whole(least=1)),
    "capabilities": ("capabilities", choices(get_args(Capability))),
    "tier": ("tier", choice(get_args(Tier))),
    "quality": ("quality", number(most=1)),
    "output_tokens": ("output_tokens", whole(least=1)),
    "history": ("history", name),
    "duty": ("duty", choice(get_args(Duty))),
}
KEYS = ("id", *CONNECTION, "endpoints", "rates", "tags", *TRAITS)
ID = re.compile(r"[^\s/*?\[\],]+/[^\s*?\[\],]+")
OWN = "pointsman"
EMBEDDINGS: frozenset[Shape] = frozenset({"embeddings"})


@dataclass(frozen=True, slots=True)
class _Name:
    """A model's id and what follows from its provider; `known` is None where nothing does."""

    provider: str
    model: str
    known: Provider | None


def read_models(entry: Entry, today: date) -> tuple[Model, ...]:
    """The models of the file, in its order.

    Raises:
        InputError: none, a malformed one, an id or an endpoint's name twice, or unknown rates; with the line.
    """
    models: dict[str, Model] = {}
    endpoints: set[str] = set()
    for one in entry.items():
        model = _model(one, today)
        if model.id in models:
            raise one.refusal(f"model {model.id!r} is given twice", "give one model several `endpoints` instead")
        models[model.id] = model
        for endpoint in model.endpoints:
            if endpoint.name in endpoints:
                raise one.refusal(f"endpoint {endpoint.name!r} is given twice", "give endpoints unique names")
            endpoints.add(endpoint.name)
    if not models:
        raise entry.refusal("`models` is an empty list", "list at least one, such as `- id: openai/gpt-4o-mini`")
    return tuple(models.values())


def _model(entry: Entry, today: date) -> Model:
    given = entry.fields(KEYS)
    if "id" not in given:
        raise entry.refusal("the model has no `id`", "add `id: provider/model`")
    called = _name(given["id"])
    endpoints = _endpoints(entry, given, called)
    embedding = all(one.shapes == EMBEDDINGS for one in endpoints)
    fields: dict[str, Any] = {field: read(given[key]) for key, (field, read) in TRAITS.items() if key in given}
    first = endpoints[0]
    if "context_tokens" not in fields:
        fields["context_tokens"] = known_context(called.provider, first.model, base_url=first.base_url)
    if "capabilities" not in fields:
        fields["capabilities"] = _capabilities(called, embedding=embedding)
    return Model(
        id=f"{called.provider}/{called.model}",
        endpoints=endpoints,
        rates=_rates(entry, given, called, first, today, embedding=embedding),
        tags=frozenset(names(given["tags"])) if "tags" in given else frozenset(),
        **fields,
    )


def _name(entry: Entry) -> _Name:
    written = name(entry)
    if not ID.fullmatch(written):
        raise entry.refusal(f"{written!r} is no model id", "write `provider/model`, for example openai/gpt-4o-mini")
    provider, _, model = written.partition("/")
    if provider == OWN:
        raise entry.refusal(f"{written!r} begins with {OWN!r}, which names aliases", "use another provider's name")
    return _Name(provider, model, PROVIDERS.get(provider))


def _capabilities(called: _Name, *, embedding: bool) -> frozenset[Capability]:
    if embedding:
        return frozenset({"embeddings"})
    return called.known.capabilities if called.known is not None else STREAMS


def _rates(
    entry: Entry, given: Mapping[str, Entry], called: _Name, first: Endpoint, today: date, *, embedding: bool
) -> tuple[Rates, ...]:
    if "rates" in given:
        return given_rates(given["rates"], today, writes=not embedding)
    return looked_up_rates(entry, called.provider, (first.model, called.model), first.base_url, today)


def _endpoints(entry: Entry, given: Mapping[str, Entry], called: _Name) -> tuple[Endpoint, ...]:
    """What an endpoint leaves out it takes from the model, and then from the provider."""
    shared = {key: given[key] for key in CONNECTION if key in given}
    if "endpoints" not in given:
        return (_endpoint(entry, shared, called, f"{called.provider}/{called.model}"),)
    found: list[Endpoint] = []
    for index, one in enumerate(given["endpoints"].items()):
        own = one.fields(("name", *CONNECTION))
        title = name(own["name"]) if "name" in own else f"{called.provider}/{called.model}#{index + 1}"
        found.append(_endpoint(one, shared | own, called, title))
    if not found:
        raise given["endpoints"].refusal("`endpoints` is an empty list", "list one, or leave `endpoints` out")
    return tuple(found)


def _endpoint(entry: Entry, given: Mapping[str, Entry], called: _Name, title: str) -> Endpoint:
    kind: UpstreamKind = called.known.kind if called.known is not None else "openai"
    if "kind" in given:
        kind = choice(get_args(UpstreamKind))(given["kind"])
    base_url = _address(entry, given, called, kind)
    model = text(given["model"]) if "model" in given else called.model
    if embeds(model) and kind != "openai":
        raise entry.refusal(
            f"embeddings of {kind} are not spoken", "add `kind: openai` and the `base_url` of its OpenAI-like API"
        )
    return Endpoint(
        name=title,
        kind=kind,
        base_url=base_url,
        model=model,
        shapes=_shapes(given.get("shapes"), kind, base_url, model),
        headers=headers(given["headers"]) if "headers" in given else {},
        key=_key(entry, given, called, base_url),
    )


def _address(entry: Entry, given: Mapping[str, Entry], called: _Name, kind: UpstreamKind) -> str:
    """Azure's addresses end in a query; those of other kinds don't, since a path is added to them."""
    if "base_url" in given:
        return address(given["base_url"], query=kind == "openai")
    if called.known is None:
        raise entry.refusal(f"provider {called.provider!r} has no known address", "add `base_url: https://…`")
    return called.known.base_url


def _shapes(entry: Entry | None, kind: UpstreamKind, base_url: str, model: str) -> frozenset[Shape]:
    if entry is not None:
        found: frozenset[Shape] = choices(NATIVE[kind])(entry)
        if not found and NATIVE[kind]:
            raise entry.refusal("`shapes` is an empty list", "list one, or leave `shapes` out")
        return found
    if embeds(model):
        return EMBEDDINGS
    others: set[Shape] = {"responses"} if urlsplit(base_url).hostname != RESPONSES_HOST else set()
    return frozenset(NATIVE[kind]) - others


def _key(entry: Entry, given: Mapping[str, Entry], called: _Name, base_url: str) -> str | None:
    if "key" in given:
        return secret(given["key"])
    if called.known is not None and base_url == called.known.base_url:
        return _provider_key(entry, called.known)
    if on_loopback(urlsplit(base_url).hostname or ""):
        return None
    raise entry.refusal(
        f"no key is given for {urlsplit(base_url).hostname}", "add `key: os.environ/NAME`, or `key: none`"
    )


def _provider_key(entry: Entry, known: Provider) -> str | None:
    return entry.variable(known.variable, "key") if known.variable else None
