"""The gateway as the demo's stage hand sees it: keys, onboardings, funds and the audit, by HTTP and the master key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from pointsman.errors import InputError

TELLING_S = 30.0


class Administration:
    """A gateway's.

    Args:
        url: its address.
        master_key: of this demo.
    """

    def __init__(self, url: str, master_key: str) -> None:
        headers = {"authorization": f"Bearer {master_key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=TELLING_S, trust_env=False)

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def make_key(self, wish: Mapping[str, Any]) -> str:
        """A new virtual key's secret."""
        return str((await self._done("POST", "/admin/keys", wish))["key"])

    async def onboard(self, model: str, budget_usd: str, probes: int | None) -> None:
        """Begins an onboarding, with as many probes as it usually has where none are given."""
        wish: dict[str, Any] = {"model": model, "budget_usd": budget_usd}
        await self._done("POST", "/admin/onboardings", wish if probes is None else wish | {"probes": probes})

    async def onboarding(self, model: str) -> dict[str, Any]:
        """What it has come to."""
        return await self._done("GET", f"/admin/onboardings/{model}")

    async def balances(self) -> list[dict[str, Any]]:
        """Every fund, with its price."""
        return list((await self._done("GET", "/v1/funds"))["data"])

    async def audit(self) -> dict[str, Any]:
        """The ledger's double entry, folded and compared."""
        return await self._done("GET", "/admin/audit")

    async def switch(self, model_server: str, called: str, *, failing: bool) -> None:
        """Makes a model's server fail, or answer again."""
        told = {"failing": failing, "model": called}
        answer = await self._http.post(f"{model_server}/control", json=told)
        answer.raise_for_status()

    async def _done(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._http.request(method, path, json=body)
        if answer.status_code >= 400:
            raise InputError(f"the gateway answers {answer.status_code}: {answer.text[:300]}", place=f"{method} {path}")
        found: dict[str, Any] = answer.json()
        return found
