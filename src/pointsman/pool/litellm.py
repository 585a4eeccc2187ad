"""A LiteLLM `config.yaml` -> the text of a `pointsman.yaml` that serves the same names, and notes on what is left out.

Entries of one `model_name` become endpoints of one model where they are the same model, else models behind one alias;
either way clients go on asking for the same name. Limits and budgets become funds. A model whose rates nobody knows is
not made free: it is left out, with a note, unless it answers on this machine or a private network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pointsman.errors import InputError
from pointsman.pool.config_nodes import ENVIRONMENT, Entry, compose
from pointsman.pool.config_values import exact, whole
from pointsman.pool.litellm_entry import PREFIXES, Deployment, read_deployment, speaks
from pointsman.pool.providers import PROVIDERS
from pointsman.pool.rates import known_rates
from pointsman.pool.writing import commented, to_yaml

DURATION = re.compile(r"[1-9]\d*[smhd]|1mo")
FAILURE = {
    "num_retries": "retries",
    "request_timeout": "total",
    "timeout": "total",
    "cooldown_time": "cooldown",
    "allowed_fails": "cooldown_after",
}
INSTEAD = {
    "fallbacks": "a failed query goes to the next best model of its alias",
    "context_window_fallbacks": "models whose context is too short are not asked",
    "content_policy_fallbacks": "a failed query goes to the next best model of its alias",
    "default_fallbacks": "a failed query goes to the next best model of its alias",
    "routing_strategy": "queries go where they are worth most for the money left",
    "model_group_alias": "write them under `aliases`",
    "database_url": "the ledger is a file in the `state` folder",
    "redis_host": "the ledger is a file in the `state` folder",
    "callbacks": "see `telemetry`",
    "success_callback": "see `telemetry`",
    "failure_callback": "see `telemetry`",
    "drop_params": "fields that a model can't honour are refused by name",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A configuration out of a foreign one: its YAML text, and what a reader of the old one should know."""

    text: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """Our file as it grows. `ids` are those of each model name, `sources` the deployments of each id."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, list[Deployment]] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)
    funds: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_litellm(path: Path, today: date) -> Imported:
    """Read a LiteLLM configuration and say the same in Pointsman's words.

    Args:
        path: of the foreign file; variables that it names needn't be set.
        today: the day (UTC) whose rates are looked up.

    Raises:
        InputError: not YAML, no `model_list`, a malformed entry, or nothing in it that Pointsman can serve.
    """
    top = compose(path, {}).pairs()
    if "model_list" not in top:
        raise InputError("there is no `model_list`", place=str(path), remedy="give a LiteLLM config.yaml")
    draft = _Draft()
    for entry in top["model_list"].items():
        _add(draft, read_deployment(entry), today)
    if not draft.models:
        raise InputError(
            f"nothing in `model_list` can be served: {'; '.join(draft.notes)}",
            place=str(path),
            remedy="give the models costs per token, or an address",
        )
    _limit(draft)
    document: dict[str, Any] = {}
    failure: dict[str, Any] = {}
    for name, entry in top.items():
        if name != "model_list":
            _section(draft, document, failure, name, entry)
    document |= {"models": list(draft.models.values())}
    document |= {"funds": draft.funds} if draft.funds else {}
    aliases = _aliases(draft)
    document |= {"aliases": aliases} if aliases else {}
    document |= {"failure": _with_hold(failure)} if failure else {}
    return Imported(_text(path, document, draft), tuple(draft.notes))


def _add(draft: _Draft, one: Deployment, today: date) -> None:
    if "*" in one.name or "*" in one.upstream:
        draft.notes.append(f"{one.place}: {one.name!r} stands for any model and is left out; list models by name")
        return
    if not speaks(one):
        draft.notes.append(f"{one.place}: {one.name!r} is left out; its provider or mode is not spoken")
        return
    draft.notes += [f"{one.place}: `{key}` has no counterpart and is left out" for key in one.dropped]
    rates = _rates(draft, one, today)
    made = _model(draft, one, rates)
    if rates is None:
        draft.left_out.append(made)
        draft.notes.append(f"{one.place}: {one.name!r} is left out, its rates are not known; see the end of the file")
        return
    _place(draft, one, made)


def _rates(draft: _Draft, one: Deployment, today: date) -> Any:
    """What goes into `rates`: given ones, "" where they will be looked up, `free` at home, None where unknown."""
    embedding = one.traits.get("shapes") == ["embeddings"]
    if "input" in one.rates and ("output" in one.rates or embedding):
        return dict(one.rates)
    known = PROVIDERS.get(one.provider)
    base_url = one.base_url or (known.base_url if known is not None else "")
    if any(known_rates(one.provider, name, today, base_url=base_url) for name in (one.upstream, one.model)):
        return ""
    if not _at_home(base_url):
        return None
    draft.notes.append(f"{one.place}: {one.name!r} has no known rates and is at home, so it is written as free")
    return "free"


def _at_home(base_url: str) -> bool:
    """Whether an address is this machine's or a private network's, where nobody bills per token."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return bool(host) and ("." not in host or host.endswith((".local", ".internal", ".localhost")))


def _model(draft: _Draft, one: Deployment, rates: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"{one.provider}/{one.model}", **_connection(draft, one)}
    if rates:
        made["rates"] = rates
    if rates is None:
        made["rates"] = {"input": "?", "output": "?"}
    return made | dict(one.traits)


def _connection(draft: _Draft, one: Deployment) -> dict[str, Any]:
    known = PROVIDERS.get(one.provider)
    made: dict[str, Any] = {}
    if one.base_url:
        made["base_url"] = one.base_url
    if one.key:
        made["key"] = one.key
        if not one.key.startswith(ENVIRONMENT):
            draft.notes.append(f"{one.place}: the key of {one.name!r} is written as plain text; better name a variable")
    elif one.base_url and known is not None and one.base_url != known.base_url:
        made["key"] = "none"
        draft.notes.append(f"{one.place}: {one.name!r} has no `api_key`, so none is sent to its own address")
    elif known is None:
        made["key"] = "none"
    if one.upstream != one.model:
        made["model"] = one.upstream
    if one.headers:
        made["headers"] = dict(one.headers)
    return made


def _place(draft: _Draft, one: Deployment, made: dict[str, Any]) -> None:
    """Among the models: as a new one, as a further endpoint of the same model, or as it stands there already."""
    found = next((model for model in draft.models.values() if _same(model, made)), None)
    if found is None:
        made["id"] = _free_id(draft, made)
        draft.models[made["id"]] = found = made
    else:
        _join(found, made)
    draft.sources.setdefault(found["id"], []).append(one)
    ids = draft.ids.setdefault(one.name, [])
    if found["id"] not in ids:
        ids.append(found["id"])


ADDRESS = ("base_url", "key", "model", "headers")


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two are the same model, perhaps at another address."""
    own = {key: value for key, value in first.items() if key not in {*ADDRESS, "endpoints"}}
    other = {key: value for key, value in second.items() if key not in ADDRESS}
    return own == other


def _free_id(draft: _Draft, made: dict[str, Any]) -> str:
    """The id, with a number where another model has it: one with other rates, for example."""
    wanted, number = str(made["id"]), 2
    if wanted not in draft.models:
        return wanted
    made.setdefault("model", wanted.partition("/")[2])
    while f"{wanted}-{number}" in draft.models:
        number += 1
    return f"{wanted}-{number}"


def _join(found: dict[str, Any], made: Mapping[str, Any]) -> None:
    address = {key: made[key] for key in ADDRESS if key in made}
    listed = found.get("endpoints")
    if listed is None:
        first = {key: found[key] for key in ADDRESS if key in found}
        if first == address:
            return
        for key in first:
            del found[key]
        listed = found["endpoints"] = [first]
    if address not in listed:
        listed.append(address)


def _limit(draft: _Draft) -> None:
    """Funds out of limits per deployment: together they are the model's."""
    for name, sources in draft.sources.items():
        for key, unit in (("rpm", "requests"), ("tpm", "tokens")):
            given = [one.limits[key] for one in sources if key in one.limits]
            if len(given) == len(sources):
                draft.funds.append(_fund(f"{name} {key}", sum(given), "1m", models=[name]) | {"unit": unit})
            elif given:
                draft.notes.append(f"`{key}` of {name} is left out: not every deployment of it has one")
        for one in sources:
            if one.budget is not None:
                _budget(draft, f"{name} budget", *one.budget, models=[name])


def _fund(name: str, amount: Any, window: str | None, **draws: Any) -> dict[str, Any]:
    made = {"name": name, "amount": amount} | ({"window": window} if window else {})
    return made | {key: value for key, value in draws.items() if value}


def _budget(draft: _Draft, name: str, amount: Decimal, duration: str | None, **draws: Any) -> None:
    if duration is not None and not DURATION.fullmatch(duration):
        draft.notes.append(f"fund {name!r}: duration {duration!r} is unknown, so its money is given once and for all")
        duration = None
    taken = sum(fund["name"].startswith(name) for fund in draft.funds)
    draft.funds.append(_fund(f"{name} {taken + 1}" if taken else name, amount, duration, **draws))


def _section(draft: _Draft, document: dict[str, Any], failure: dict[str, Any], name: str, entry: Entry) -> None:
    """One of LiteLLM's other sections: a few of its settings are carried over, the rest is told."""
    given = {key: value for key, value in entry.pairs().items() if not value.is_null} if entry.is_mapping else {}
    if not entry.is_mapping and not entry.is_null:
        draft.notes.append(f"`{name}` is left out")
    if "max_budget" in given:
        duration = given["budget_duration"].written if "budget_duration" in given else None
        _budget(draft, "all", exact(given["max_budget"]), duration)
    for key, value in given.items():
        if key == "master_key":
            document["master_key"] = value.written
        elif key in FAILURE and name in {"litellm_settings", "router_settings"}:
            failure |= {FAILURE[key]: found} if (found := _failure(key, value)) is not None else {}
        elif key == "provider_budget_config":
            _provider_budgets(draft, value)
        elif key not in {"max_budget", "budget_duration"}:
            why = f": {INSTEAD[key]}" if key in INSTEAD else ""
            draft.notes.append(f"`{name}.{key}` is left out{why}")


def _failure(key: str, value: Entry) -> Any:
    """One of our settings for failures, None where theirs says that there is no limit."""
    if key == "num_retries":
        return whole()(value)
    if key == "allowed_fails":
        return whole()(value) + 1
    return f"{format(exact(value), 'f')}s" if exact(value) else None


def _with_hold(failure: dict[str, Any]) -> dict[str, Any]:
    """A hold must outlive the exchange that it is for."""
    total = Decimal(str(failure.get("total", "0s")).removesuffix("s"))
    return failure | ({"hold": f"{format(total + 60, 'f')}s"} if total > 840 else {})


def _provider_budgets(draft: _Draft, entry: Entry) -> None:
    there = {name.partition("/")[0] for name in draft.models}
    for name, one in entry.pairs().items():
        given, provider = one.pairs(), PREFIXES.get(name, name)
        if provider not in there or "budget_limit" not in given:
            draft.notes.append(f"the budget of provider {name!r} is left out: no model of it is carried over")
            continue
        duration = given["time_period"].written if "time_period" in given else None
        _budget(draft, f"{provider} budget", exact(given["budget_limit"]), duration, providers=[provider])


def _aliases(draft: _Draft) -> dict[str, Any]:
    """Names that clients ask for; none is needed where the name is the model's id."""
    found: dict[str, Any] = {}
    for name, ids in draft.ids.items():
        if ids == [name]:
            continue
        if name in draft.models:
            draft.notes.append(f"{name!r} meant {', '.join(ids)}; here it is the model of that id alone")
            continue
        found[name] = {"models": ids}
    return found


def _text(path: Path, document: Mapping[str, Any], draft: _Draft) -> str:
    head = commented(f"Imported from {path.name} by `pointsman config import`. See docs/configuration.md.")
    notes = commented("\n".join(["", "Notes:", *(f"- {note}" for note in draft.notes)])) if draft.notes else ""
    ordered = {key: document[key] for key in ("master_key", "models", "funds", "aliases", "failure") if key in document}
    return head + notes + "\n" + to_yaml(ordered) + _tail(draft.left_out)


def _tail(left_out: Sequence[Mapping[str, Any]]) -> str:
    if not left_out:
        return ""
    return "\n" + commented(
        "Left out, since nobody knows their rates. Fill them in (US dollars per million tokens), or write\n"
        "`rates: free`, and move them up to `models`.\n" + to_yaml(list(left_out))
    )
