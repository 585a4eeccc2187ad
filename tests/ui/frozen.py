"""Pages on fixed data at a fixed time, so that their pictures can be compared.

    PYTHONPATH=tests python -m ui.frozen        records what a seeded gateway tells, anew

`recorded.json` holds the answers of a seeded gateway below /ui/api, with fewer rows. `freeze` puts them in the place of
a running gateway's, stops the page's clock at the moment of recording, and gives it a stream that stays silent. The
files of the dashboard still come from the gateway, under its content security policy.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Page, Route

from gateway_kit import GatewayProcess, wait_until
from stub_upstream import start_stub
from ui.world import NOTICE, history, seeded_gateway

RECORDED = Path(__file__).with_name("recorded.json")
PROMPT = "A train leaves at 09:40 and arrives at 13:05. How long does it take, and how fast is it over 287 km?"
MOST = 60
SILENT = """
window.EventSource = class extends EventTarget {
  constructor() {
    super();
    setTimeout(() => { this.onopen?.(new Event("open")); this.dispatchEvent(new Event("open")); }, 0);
  }
  close() {}
};
"""
GETS = {
    "session": "session",
    "now": "now?minutes=15",
    "decisions": f"decisions?limit={MOST}",
    "models": "models",
    "onboardings": "onboardings",
    "trade-off": "trade-off",
    "entries": f"entries?limit={MOST}",
    "funds": "funds",
    "keys": "keys",
}


def record(gateway: GatewayProcess) -> dict[str, Any]:
    """What the gateway tells, by path."""
    with httpx.Client(base_url=f"{gateway.url}/ui/api/", headers=gateway.headers, timeout=60, trust_env=False) as http:
        wait_until(lambda: len(http.get("now").json()["points"]) > 20, 120)
        found = {name: http.get(path).raise_for_status().json() for name, path in GETS.items()}
        rows = found["decisions"]["rows"]
        routed = next(row for row in rows if row["outcome"] == "served" and row["reason"] == "best" and row["feedback"])
        found["opened"] = http.get(f"decisions/{routed['decision_id']}").raise_for_status().json()
        headers = {"x-pointsman-ui": "1"}
        found["route"] = http.post("route", json={"prompt": PROMPT}, headers=headers).raise_for_status().json()
        asked = {"funds": {fund["name"]: fund["amount"] for fund in found["trade-off"]["funds"]}}
        asked["knob"] = found["trade-off"]["knob"]
        found["replay"] = http.post("trade-off/replay", json=asked, headers=headers).raise_for_status().json()
    found["session"] |= {"role": "admin", "signed_in": True, "version": "0.0.0", "notice": NOTICE}
    return found


def keep(found: dict[str, Any]) -> None:
    """Writes it, one path a line."""
    lines = (f"{json.dumps(name)}: {json.dumps(told, separators=(',', ':'))}" for name, told in found.items())
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def recorded() -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


def freeze(page: Page, told: dict[str, Any]) -> None:
    """The page gets nothing but what was recorded, and its clock stands still."""
    page.add_init_script(SILENT)
    page.clock.set_fixed_time(told["now"]["at_s"] * 1_000)
    page.context.route("**/ui/api/**", lambda route: _answer(route, told))


def _answer(route: Route, told: dict[str, Any]) -> None:
    path = urlsplit(route.request.url).path.partition("/ui/api/")[2]
    name = {"trade-off/replay": "replay"}.get(path, path)
    if name.startswith("decisions/"):
        name = "opened"
    if name == "decisions" and "before=" in route.request.url:
        route.fulfill(json=told["decisions"] | {"rows": [], "next": None})
    elif name in told:
        route.fulfill(json=told[name])
    else:
        route.fulfill(status=404, json={"error": {"message": f"{path} wasn't recorded"}})


def main() -> None:
    """Records anew."""
    with tempfile.TemporaryDirectory() as folder, start_stub() as stub, seeded_gateway(Path(folder), stub) as gateway:
        steady(gateway)
        keep(record(gateway))


def steady(gateway: GatewayProcess, queries: int = 240) -> None:
    """Some minutes' queries, so that there is something on the charts."""
    texts = history().texts
    for number in range(queries):
        answer = gateway.post(
            "/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": texts[number]}]}
        )
        if number % 4 == 0 and answer.status_code == 200:
            score = {"decision_id": answer.headers["x-pointsman-decision-id"], "score": (number % 10) / 10}
            gateway.post("/v1/feedback", score)
        time.sleep(0.15)


if __name__ == "__main__":
    main()
