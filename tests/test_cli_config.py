"""`pointsman init` and `pointsman config`: files in, files and tables out, no key on the screen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointsman.cli.config import app as config
from pointsman.cli.init import app as init
from pointsman.errors import InputError
from pointsman.pool.init import FIRST
from pointsman.pool.providers import PROVIDERS

FILE = """
master_key: sk-secret-master
models:
  - id: p/m
    base_url: https://p.example/v1
    key: sk-secret-key
    rates: {input: [{from: 0, usd: 0.15}, {from: 1000, usd: 0.30}], output: 0.60}
  - {id: local/x, base_url: "http://127.0.0.1:9", rates: free, context: 8192}
funds:
  - {name: all, amount: 12.50, window: 1mo}
  - {name: rpm, amount: 60, unit: requests, window: 90s, models: [p/*]}
  - {name: once, amount: 1, keys: [k]}
aliases:
  cheap: {models: [local/x], trade_off: 9}
"""


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIRST:
        monkeypatch.delenv(PROVIDERS[name].variable, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def test_check_shows_what_it_comes_to(tmp_path: Path) -> None:
    """Models with today's rates, funds in words, aliases; keys only as there or not there."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(FILE)
    shown = CliRunner().invoke(config, ["check", str(path)])
    assert shown.exit_code == 0, shown.output
    for piece in ("0.15, 0.3 from 1,000", "each month (UTC)", "any 90s", "once and for all", "models p/m", "(no key)"):
        assert piece in shown.output
    assert "sk-secret" not in shown.output


def test_check_as_json(tmp_path: Path) -> None:
    """The same as plain values, rates and money as exact text."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(FILE)
    shown = CliRunner().invoke(config, ["check", str(path), "--json"])
    found = json.loads(shown.output)
    assert found["models"][0]["usd_per_million"] == {"input": "0.15, 0.3 from 1,000", "output": "0.6"}
    assert found["models"][0]["endpoints"][0]["key"] is True
    assert [fund["amount"] for fund in found["funds"]] == ["12.5", "60", "1"]
    assert [alias["name"] for alias in found["aliases"]] == ["auto", "cheap"]
    assert found["master_key"] is True
    assert "sk-secret" not in shown.output


def test_check_refuses(tmp_path: Path) -> None:
    """A file that can't be used ends the command with the error that names its line."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(FILE.replace("funds:", "fund:"))
    shown = CliRunner().invoke(config, ["check", str(path)])
    assert isinstance(shown.exception, InputError)
    assert f"{path}, line 10" in str(shown.exception)


def test_init_writes_a_file_that_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` finds the key, and `config check` is content with what it wrote."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    path = tmp_path / "pointsman.yaml"
    shown = CliRunner().invoke(init, ["--to", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "openai/gpt-5-mini" in shown.output
    assert CliRunner().invoke(config, ["check", str(path)]).exit_code == 0
    again = CliRunner().invoke(init, ["--to", str(path)])
    assert isinstance(again.exception, InputError)
    assert CliRunner().invoke(init, ["--to", str(path), "--force"]).exit_code == 0


def test_import_writes_and_tells(tmp_path: Path) -> None:
    """The new file is there, and what was left out is on the screen."""
    source, path = tmp_path / "config.yaml", tmp_path / "pointsman.yaml"
    source.write_text(
        "model_list: [{model_name: m, litellm_params: {model: gpt-4o, api_key: sk-secret, temperature: 0}}]\n"
        "general_settings: {master_key: sk-secret-1234}\n"
    )
    shown = CliRunner().invoke(config, ["import", str(source), "--to", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "litellm_params.temperature" in shown.output
    assert "1 models, 0 funds, 2 aliases" in shown.output
    assert "sk-secret" not in shown.output
    assert CliRunner().invoke(config, ["check", str(path)]).exit_code == 0
    again = CliRunner().invoke(config, ["import", str(source), "--to", str(path)])
    assert isinstance(again.exception, InputError)
