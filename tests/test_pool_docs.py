"""docs/configuration.md says what the program does: every key, its default, and examples that read."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from pointsman.pool import config_funds, config_models, config_rates, config_sections, registry
from pointsman.pool.providers import PROVIDERS
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings
from pointsman.pool.writing import Completed

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text()
README = (ROOT / "README.md").read_text()
EXAMPLES = [
    *re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE),
    *re.findall(r"^```yaml\n(# pointsman.yaml\n.*?)^```", README, re.DOTALL | re.MULTILINE),
]
TODAY = date(2026, 6, 1)
SECTIONS = ("server", "routing", "failure", "learning", "telemetry", "dashboard")
MODEL = "models: [{id: p/m, base_url: 'http://127.0.0.1:9', rates: free}]\n"


def rows(title: str) -> dict[str, str]:
    """Keys and defaults of the table below a heading; a dash where there is none."""
    part = re.split(rf"^##+ {re.escape(title)}$", PAGE, flags=re.MULTILINE)[1].split("\n#")[0]
    found = re.findall(r"^\| (`[^|]+) \| ([^|]*) \|", part, re.MULTILINE)
    return {name: default.strip("` ") for names, default in found for name in re.findall(r"`([^`]+)`", names)}


def settings(folder: Path, text: str) -> Settings:
    path = folder / "pointsman.yaml"
    path.write_text(text)
    return read_settings(path, Completed({}), TODAY)


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_read(tmp_path: Path, text: str) -> None:
    """Every example on the page and in the README is a configuration."""
    (tmp_path / "my" / "outcomes").mkdir(parents=True)
    assert settings(tmp_path, text).models


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_told_with_its_default(tmp_path: Path, section: str) -> None:
    """The table has each key of the section, and a file that says the defaults says nothing new."""
    told = rows(f"`{section}`")
    table: config_sections.Table = getattr(config_sections, section.upper())
    assert set(told) == set(table)
    text = f"{section}:\n" + "".join(f"  {key}: {value}\n" for key, value in told.items() if value != "–")
    assert getattr(settings(tmp_path, MODEL + text), section) == getattr(Settings(models=()), section)


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("Top", registry.KEYS),
        ("`models`", (*config_models.KEYS, *PROVIDERS)),
        ("`rates`", config_rates.KEYS),
        ("`funds`", config_funds.FUND_KEYS),
        ("`aliases`", config_funds.ALIAS_KEYS),
    ],
)
def test_every_key_is_told(title: str, keys: tuple[str, ...]) -> None:
    """The tables name each key, and no other."""
    assert set(rows(title)) == set(keys)


def test_defaults_of_funds_and_aliases(tmp_path: Path) -> None:
    """What the tables give as defaults is what a file gets that leaves them out."""
    fund, alias = rows("`funds`"), rows("`aliases`")
    said = f"{{name: a, amount: 1, unit: {fund['unit']}, window: {fund['window']}, pace: {fund['pace']}}}"
    text = f"funds: [{said}, {{name: b, amount: 1}}]\naliases:\n  a: {{scarcity: queue, queue: {alias['queue']}}}\n"
    found = settings(tmp_path, MODEL + text + f"  b: {{scarcity: {alias['scarcity']}}}\n  c: {{}}\n")
    assert found.funds[0].pace_over_s == found.funds[1].pace_over_s
    assert (found.funds[0].unit, found.funds[0].window) == (found.funds[1].unit, found.funds[1].window)
    _, queued, named, silent = found.aliases
    assert queued.queue_s == silent.queue_s
    assert named.scarcity == silent.scarcity


def test_variables_of_providers() -> None:
    """The table gives each provider's variable."""
    for name, variable in rows("`models`").items():
        if name in PROVIDERS:
            assert (PROVIDERS[name].variable or "none") == variable
