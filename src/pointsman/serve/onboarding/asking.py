"""A client of a running gateway, for programs beside it: its administration, and probes put to a model through it.

Speaks HTTP, synchronously, from any thread. `Administration` makes and revokes virtual keys and reads what is in
force; `ProbeAsking` is `onboard.asking.Ask`: one chat completion a probe, with a virtual key whose budget is the
onboarding's, so that no answer escapes the ledger. It retries nothing: who asks does. Secrets and prompts are in
none of its errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from pointsman.errors import InputError
from pointsman.onboard.asking import Answered, OutOfMoney, Unanswered
from pointsman.pool.graders.grade import Reply, ToolCall
from pointsman.pool.probes.probe import Probe

NANO = 1_000_000_000
ASKING_S = 600.0  # the gateway's own limits end an exchange earlier
TELLING_S = 30.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
FOR_NOBODY = frozenset({401, 403, 404, 405})


class Administration:
    """A gateway as its administrator sees it.

    Args:
        url: its address, with or without `/v1`.
        master_key: None where it asks for none.
    """

    def __init__(self, url: str, master_key: str | None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        headers = {} if master_key is None else {"authorization": f"Bearer {master_key}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TELLING_S, trust_env=False)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def answers(self) -> bool:
        """Whether a gateway that is ready answers there.

        Raises:
            InputError: something else answers.
        """
        try:
            found = self._http.get("/")
            if found.status_code == 503:  # it is starting
                return False
            if found.status_code != 200 or found.json().get("name") != "pointsman":
                raise InputError(
                    "what answers there is no gateway", place=self.url, remedy="give the gateway's address with --url"
                )
            return self._http.get("/health/readiness").status_code == 200
        except httpx.TransportError:
            return False
        except ValueError:
            raise InputError(
                "what answers there is no gateway", place=self.url, remedy="give the gateway's address with --url"
            ) from None

    def make_key(self, id: str, models: Sequence[str], budget_nano: int) -> str:
        """A new virtual key's secret.

        Raises:
            InputError: the gateway refuses, for example because the id was used before.
        """
        usd = str(Decimal(budget_nano) / NANO)
        made = self._done("POST", "/admin/keys", {"id": id, "models": list(models), "budget_usd": usd})
        return str(made["key"])

    def revoke_key(self, id: str) -> None:
        """Ends a key; one that was ended before is left as it is."""
        try:
            self._http.delete(f"/admin/keys/{id}")
        except httpx.TransportError as error:
            raise self._gone(error) from None

    def spent_nano(self, key_id: str) -> int | None:
        """What a key's budget has paid and holds, in nano-dollars; None where the gateway doesn't know the fund."""
        fund = f"key:{key_id}:budget"
        found = self._done("GET", "/v1/funds")["data"]
        return next((int(one["spent"]) + int(one["held"]) for one in found if one["fund"] == fund), None)

    def config(self) -> dict[str, Any]:
        """What is in force: `GET /admin/config`."""
        return self._done("GET", "/admin/config")

    def refit(self) -> bool:
        """Asks for new estimates from the outcomes; False where the gateway can't be asked that."""
        try:
            return self._http.post("/admin/refit").status_code < 300
        except httpx.TransportError as error:
            raise self._gone(error) from None

    def _done(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
            found = answer.json()
        except httpx.TransportError as error:
            raise self._gone(error) from None
        except ValueError:
            found = {}
        if answer.status_code >= 300 or not isinstance(found, dict):
            raise InputError(
                f"the gateway refuses {method} {path} ({answer.status_code}): {_said(found)}",
                place=self.url,
                remedy="check `master_key` in the configuration" if answer.status_code in {401, 403} else "",
            )
        return found

    def _gone(self, error: Exception) -> InputError:
        return InputError(
            f"the gateway doesn't answer ({type(error).__name__})", place=self.url, remedy="see whether it runs"
        )


class ProbeAsking:
    """Probes put to one model through a gateway.

    Args:
        url: the gateway's address.
        secret: of the key that pays.
        model: its id.
        now_s, monotonic_s: clocks.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        model: str,
        *,
        connections: int = 16,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model, self._now_s, self._monotonic_s = model, now_s, monotonic_s
        self._http = httpx.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers={"authorization": f"Bearer {secret}"},
            timeout=httpx.Timeout(ASKING_S, connect=10.0),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=False,
        )

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __call__(self, probe: Probe) -> Answered:
        """One chat completion.

        Raises:
            Unanswered: none came, and whether asking again may help.
            OutOfMoney: a fund can't pay for it.
            InputError: the key may not ask this model, or the gateway doesn't know it.
        """
        return self.ask(body_of(probe, self.model))

    def ask(self, body: Mapping[str, Any]) -> Answered:
        """The same for the body of a request; the model in it is put right."""
        began = self._monotonic_s()
        try:
            answer = self._http.post("/v1/chat/completions", json={**body, "model": self.model})
        except httpx.TimeoutException:
            raise Unanswered("no answer in time", again=True) from None
        except httpx.TransportError as error:
            raise Unanswered(f"the gateway doesn't answer ({type(error).__name__})", again=True) from None
        latency_ms = (self._monotonic_s() - began) * 1e3
        if answer.status_code != 200:
            raise self._refused(answer)
        return self._read(answer, latency_ms)

    def _refused(self, answer: httpx.Response) -> Exception:
        error = _error_of(answer)
        why = f"{answer.status_code} {error.get('type') or ''}: {error.get('message') or 'no reason given'}"
        if error.get("type") == "budget_exceeded":
            return OutOfMoney(str(error.get("code") or "unknown"))
        if answer.status_code in FOR_NOBODY:
            return InputError(why, place=f"asking {self.model!r}", remedy="see what the gateway says of this model")
        passing = answer.status_code in PASSING and error.get("type") != "not_worth_it"
        return Unanswered(why, again=passing, after_s=_seconds(answer.headers.get("retry-after")))

    def _read(self, answer: httpx.Response, latency_ms: float) -> Answered:
        try:
            body = answer.json()
            choice = body["choices"][0]
            message = choice["message"]
            calls = tuple(
                ToolCall(str(call["function"]["name"]), str(call["function"]["arguments"]))
                for call in message.get("tool_calls") or ()
            )
            reply = Reply(str(message.get("content") or ""), calls, choice.get("finish_reason") != "length")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Unanswered("the answer is no chat completion", again=True) from None
        usage = body.get("usage") or {}
        return Answered(
            reply,
            self._now_s(),
            _nano(answer.headers.get("x-pointsman-cost-usd")),
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            latency_ms,
        )


def body_of(probe: Probe, model: str) -> dict[str, Any]:
    """A probe as the body of a chat completion."""
    system = [{"role": "system", "content": probe.system}] if probe.system else []
    body: dict[str, Any] = {
        "model": model,
        "messages": [*system, {"role": "user", "content": probe.prompt}],
        "max_tokens": probe.max_output_tokens,
    }
    return body | ({"tools": [dict(tool) for tool in probe.tools]} if probe.tools else {})


def _error_of(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        error = answer.json()["error"]
    except (ValueError, LookupError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _said(found: Any) -> str:
    error = found.get("error") if isinstance(found, dict) else None
    return str(error.get("message")) if isinstance(error, dict) else "no reason given"


def _nano(usd: str | None) -> int | None:
    try:
        return None if usd is None else int(Decimal(usd) * NANO)
    except InvalidOperation:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
