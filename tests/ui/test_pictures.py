"""Every page looks as it did: pictures on fixed data at a fixed time, compared with those that were kept.

    POINTSMAN_BASELINES=write python -m pytest tests/ui/test_pictures.py        keeps the pictures of now

Other versions of Chromium and other fonts draw otherwise, so the comparison is skipped, with the reason, where they are
not those that the kept pictures were made with. After a deliberate change look at the new pictures before keeping them.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from gateway_kit import GatewayProcess
from ui.browser import Theme, Watched
from ui.conftest import Open
from ui.few_colours import few_colours
from ui.frozen import PROMPT, RECORDED, freeze, recorded

BASELINES = Path(__file__).with_name("baselines")
MADE_WITH = BASELINES / "made_with.json"
WRITE = os.environ.get("POINTSMAN_BASELINES") == "write"
SIZE = (1280, 800)
FAR = 40  # of 255 in a channel: more than a smoothed edge or a colour that was rounded
MOST = 0.004  # of all pixels
NAMES = ("now", "decisions", "decision", "models", "trade-off", "playground", "ledger", "keys")
WIDTHS = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  return ["monospace", "sans-serif", "system-ui"].map((font) => {
    pen.font = `16px ${font}`;
    return Math.round(10 * pen.measureText("The quick brown fox, 0123456789 → é").width);
  });
}"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the pages are told."""
    if not RECORDED.is_file():
        pytest.skip("nothing is recorded (PYTHONPATH=tests python -m ui.frozen)")
    return recorded()


@pytest.fixture(scope="module")
def surroundings(browser: Browser) -> dict[str, Any]:
    """What draws, and with which fonts."""
    page = browser.new_page()
    found = {"chromium": browser.version.partition(".")[0], "widths": page.evaluate(WIDTHS)}
    page.close()
    if WRITE:
        BASELINES.mkdir(exist_ok=True)
        MADE_WITH.write_text(json.dumps(found) + "\n")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_looks_as_before(
    fresh: GatewayProcess,
    visit: Open,
    told: dict[str, Any],
    surroundings: dict[str, Any],
    tmp_path: Path,
    name: str,
    theme: Theme,
) -> None:
    """At most 0.4 % of the pixels differ visibly from the picture that was kept."""
    kept = BASELINES / f"{name}-{theme}.png"
    if not WRITE and (not kept.is_file() or surroundings != json.loads(MADE_WITH.read_text())):
        pytest.skip(f"the kept pictures were drawn elsewhere: {surroundings} here")
    watch = visit(fresh, size=SIZE, theme=theme, still=True)
    freeze(watch.page, told)
    image = picture(watch, name, told)
    if WRITE:
        few_colours(image).save(kept, optimize=True)
        return
    share = difference(image, Image.open(kept).convert("RGB"))
    if share > MOST:
        image.save(tmp_path / kept.name)
    assert share <= MOST, f"{share:.2%} of the pixels differ; see {tmp_path / kept.name} beside {kept}"


def picture(watch: Watched, name: str, told: dict[str, Any]) -> Image.Image:
    """The page when it has come to rest."""
    path = f"decisions/{told['opened']['row']['decision_id']}" if name == "decision" else name
    page = watch.open(path)
    if name == "playground":
        page.get_by_label("Prompt").fill(PROMPT)
        page.wait_for_timeout(1_500)
    page.evaluate("() => document.fonts.ready")
    return at_rest(page)


def at_rest(page: Page) -> Image.Image:
    """The first picture that is the same as the one before it."""
    before = b""
    for _ in range(20):
        page.wait_for_timeout(200)
        now = page.screenshot(animations="disabled", caret="hide")
        if now == before:
            break
        before = now
    return Image.open(io.BytesIO(before)).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels in which some channel is far off."""
    if one.size != other.size:
        return 1.0
    away = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max(axis=2)
    return float((away > FAR).mean())
