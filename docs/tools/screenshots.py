"""Pictures of every page of the dashboard, light and dark, taken from the demo while it runs.

    python docs/tools/screenshots.py [--seconds 480] [--to docs/images/ui] [--url URL --key KEY] [--only now,models]

Starts `pointsman demo` (simulated models, which the pictures say), waits until a model was plugged in and another one
is failing, and takes the pages as an operator would see them then; with --url it takes those of a gateway that runs
already.
Writes `<page>-<light|dark>.png` at 1440 × 900, and `<page>-phone.png` for two of them, at most 256 colours each.
Needs Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from ui.browser import PHONE, Theme, Visitor, Watched, chromium, missing, watched  # noqa: E402
from ui.few_colours import few_colours  # noqa: E402

START_S = 240.0
BEGIN = 0.65  # of the demo's time: its story has a model fail from 0.62 to 0.77
STEP_MS = 2_500  # a step of the pulse, so that charts have moved
ADDRESS = re.compile(r"(http://[\w.\[\]:]+)/ui/#key=(\S+)")
PROMPT = "A train leaves at 09:40 and arrives at 13:05. How long does it take, and how fast is it over 287 km?"
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True)
class Picture:
    """One page, and what is done on it before it is taken."""

    name: str
    path: str
    prepare: Callable[[Page], None] | None = None
    phone: bool = False


def _open_decision(page: Page) -> None:
    """The latest routed decision, opened."""
    page.locator("main tbody a").first.click()
    page.wait_for_url("**/ui/decisions/*")


def _type_prompt(page: Page) -> None:
    page.get_by_label("Prompt").fill(PROMPT)
    page.wait_for_timeout(2_000)


PICTURES = (
    Picture("now", "now", phone=True),
    Picture("decisions", "decisions", phone=True),
    Picture("decision", "decisions?outcome=served", _open_decision),
    Picture("models", "models"),
    Picture("trade-off", "trade-off"),
    Picture("playground", "playground", _type_prompt),
    Picture("ledger", "ledger"),
    Picture("keys", "keys"),
)


@contextlib.contextmanager
def demo(seconds: int) -> Iterator[tuple[str, str]]:
    """The demo in a process of its own, ended at the end; its address and key."""
    command = [sys.executable, "-m", "pointsman", "demo", "--headless", "--seconds", str(seconds)]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, text=True)  # noqa: S603 (this very program)
        try:
            yield _address(process, said)
        finally:
            process.terminate()
            process.wait(60)


def _address(process: subprocess.Popen[str], said: IO[str]) -> tuple[str, str]:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        said.seek(0)
        if found := ADDRESS.search(said.read()):
            return found[1], found[2]
        time.sleep(0.2)
    said.seek(0)
    raise SystemExit(f"the demo didn't start:\n{said.read()}")


def take(watch: Watched, picture: Picture, path: Path) -> None:
    """Goes there, waits until it is drawn, and keeps it in few colours."""
    page = watch.open(picture.path)
    if picture.prepare is not None:
        picture.prepare(page)
        watch.settled()
    page.wait_for_timeout(STEP_MS)
    path.parent.mkdir(parents=True, exist_ok=True)
    few_colours(Image.open(io.BytesIO(page.screenshot()))).save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size / 1024:.0f} KB\n")


def take_all(url: str, key: str, pictures: tuple[Picture, ...], to: Path) -> None:
    """Every picture in both themes, and some on a phone; what was wrong on a page is an error at the end."""
    with chromium() as browser:
        for theme in THEMES:
            with watched(browser, url, Visitor(key), theme=theme, still=True) as watch:
                for picture in pictures:
                    take(watch, picture, to / f"{picture.name}-{theme}.png")
        with watched(browser, url, Visitor(key), size=PHONE, still=True) as watch:
            for picture in pictures:
                if picture.phone:
                    take(watch, picture, to / f"{picture.name}-phone.png")


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description="Pictures of the dashboard.")
    parser.add_argument("--seconds", type=int, default=480, help="how long the demo runs")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images" / "ui")
    parser.add_argument("--url", help="of a gateway that runs already")
    parser.add_argument("--key", default="", help="its master key")
    parser.add_argument("--only", default="", help="names of pages, with commas")
    options = parser.parse_args()
    if why := missing():
        raise SystemExit(f"no pictures can be taken: {why}")
    only = set(filter(None, options.only.split(",")))
    pictures = tuple(one for one in PICTURES if not only or one.name in only)
    with contextlib.ExitStack() as stack:
        url, key = (options.url, options.key) if options.url else stack.enter_context(demo(options.seconds))
        time.sleep(0 if options.url else BEGIN * options.seconds)
        take_all(url, key, pictures, options.to)


if __name__ == "__main__":
    main()
