"""LiteLLM's configurations, imported: the same names, the same limits, and nothing lost without a word."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pointsman.errors import InputError
from pointsman.pool.cards import Model
from pointsman.pool.litellm import Imported, import_litellm
from pointsman.pool.settings import Settings, WindowRule
from pointsman.pool.writing import write_settings

TODAY = date(2026, 6, 1)
TYPICAL = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 600, temperature: 0.2}
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-gpt4o
      api_base: https://res.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY
      rpm: 300
    model_info: {base_model: azure/gpt-4o}
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5, max_budget: 5.5, budget_duration: 1d}
  - model_name: local
    litellm_params: {model: ollama/llama3, api_base: "http://localhost:11434", tpm: 1000}
  - model_name: local
    litellm_params: {model: ollama/llama3, api_base: "http://10.0.0.5:11434", tpm: 500}
  - model_name: mine
    litellm_params:
      model: openai/qwen
      api_base: https://gpu.example.com/v1
      api_key: sk-plain
      input_cost_per_token: 1.5e-7
      output_cost_per_token: 0.0000006
      input_cost_per_token_above_128k_tokens: 3e-7
      cache_read_input_token_cost: 0.00000001
    model_info: {supports_vision: true, supports_function_calling: false, max_input_tokens: 1000, max_output_tokens: 10}
  - model_name: unknown
    litellm_params: {model: openai/foo, api_base: "https://gpu.example.com/v1", api_key: sk-plain}
  - model_name: bed
    litellm_params: {model: bedrock/anthropic.claude}
  - model_name: "*"
    litellm_params: {model: "openai/*"}
  - model_name: text-embedding-3-small
    litellm_params: {model: text-embedding-3-small, api_key: os.environ/OPENAI_API_KEY}
    model_info: {mode: embedding}
litellm_settings: {num_retries: 3, request_timeout: 1200, drop_params: true, max_budget: 100, budget_duration: 30d}
router_settings:
  routing_strategy: simple-shuffle
  fallbacks: [{"gpt-4o": ["claude"]}]
  allowed_fails: 2
  provider_budget_config: {openai: {budget_limit: 10, time_period: 1d}, vertex_ai: {budget_limit: 1, time_period: 1d}}
general_settings: {master_key: sk-1234, database_url: os.environ/DB}
"""


def imported(folder: Path, text: str) -> tuple[Settings, Imported]:
    source = folder / "config.yaml"
    source.write_text(text)
    found = import_litellm(source, TODAY)
    return write_settings(found.text, folder / "pointsman.yaml", {}, TODAY), found


@pytest.fixture(scope="module")
def typical(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Imported]:
    return imported(tmp_path_factory.mktemp("typical"), TYPICAL)


def by_id(settings: Settings) -> dict[str, Model]:
    return {model.id: model for model in settings.models}


def test_clients_go_on_asking_for_the_same_names(typical: tuple[Settings, Imported]) -> None:
    """Every `model_name` that is carried over is an alias of the models that it stood for."""
    aliases = {alias.name: alias.models for alias in typical[0].aliases}
    assert aliases == {
        "auto": (),
        "gpt-4o": ("openai/gpt-4o", "azure/gpt-4o"),
        "claude": ("anthropic/claude-sonnet-4-5",),
        "local": ("ollama/llama3",),
        "mine": ("openai/qwen",),
        "text-embedding-3-small": ("openai/text-embedding-3-small",),
    }
    assert typical[0].master_key == "sk-1234"


def test_the_same_model_at_two_addresses_is_one_model(typical: tuple[Settings, Imported]) -> None:
    """Deployments of one model are its endpoints; one on a private network without rates is written as free."""
    local = by_id(typical[0])["ollama/llama3"]
    assert [end.base_url for end in local.endpoints] == ["http://localhost:11434/v1", "http://10.0.0.5:11434/v1"]
    assert local.rates[0].source == "free"
    assert any("written as free" in note for note in typical[1].notes)


def test_azure_answers_at_its_own_address(typical: tuple[Settings, Imported]) -> None:
    """The deployment's name goes upstream, the base model's name finds the rates."""
    azure = by_id(typical[0])["azure/gpt-4o"]
    assert azure.endpoints[0].base_url == "https://res.openai.azure.com/openai/v1"
    assert azure.endpoints[0].model == "my-gpt4o"
    assert azure.rates[-1].source == "genai-prices"


def test_costs_per_token_become_rates_per_million_exactly(typical: tuple[Settings, Imported]) -> None:
    """1.5e-7 a token is 0.15 a million, with a step above 128,000 tokens."""
    mine = by_id(typical[0])["openai/qwen"]
    (rates,) = mine.rates
    assert [(step.from_tokens, str(step.usd_per_million)) for step in rates.input] == [(0, "0.15"), (128_001, "0.3")]
    assert [str(step.usd_per_million) for step in (*rates.output, *(rates.cached or ()))] == ["0.6", "0.01"]
    assert mine.capabilities == {"streaming", "vision"}
    assert (mine.context_tokens, mine.max_output_tokens) == (1000, 10)


def test_limits_and_budgets_become_funds(typical: tuple[Settings, Imported]) -> None:
    """Requests, tokens and money, by model, by provider and for all."""
    funds = {fund.name: (fund.amount, fund.unit, fund.window, fund.models, fund.providers) for fund in typical[0].funds}
    minute, day = WindowRule("rolling", 60), WindowRule("rolling", 86_400)
    assert funds == {
        "openai/gpt-4o rpm": (600, "requests", minute, ("openai/gpt-4o",), ()),
        "azure/gpt-4o rpm": (300, "requests", minute, ("azure/gpt-4o",), ()),
        "ollama/llama3 tpm": (1_500, "tokens", minute, ("ollama/llama3",), ()),
        "anthropic/claude-sonnet-4-5 budget": (5_500_000_000, "usd", day, ("anthropic/claude-sonnet-4-5",), ()),
        "all": (100_000_000_000, "usd", WindowRule("rolling", 30 * 86_400), (), ()),
        "openai budget": (10_000_000_000, "usd", day, (), ("openai",)),
    }


def test_limits_of_failures_are_carried_over(typical: tuple[Settings, Imported]) -> None:
    """Retries, the time limit and when an endpoint is closed; a hold outlives its exchange."""
    failure = typical[0].failure
    assert (failure.retries, failure.total_s, failure.hold_s, failure.cooldown_after) == (3, 1200, 1260, 3)


@pytest.mark.parametrize(
    "told",
    [
        "litellm_params.temperature",
        "'unknown' is left out, its rates are not known",
        "'bed' is left out",
        "'*' stands for any model",
        "key of 'mine' is written as plain text",
        "router_settings.fallbacks",
        "router_settings.routing_strategy",
        "litellm_settings.drop_params",
        "general_settings.database_url",
        "provider 'vertex_ai'",
    ],
)
def test_what_is_left_out_is_told(typical: tuple[Settings, Imported], told: str) -> None:
    """Everything without a counterpart is in the notes and in the file's head."""
    assert any(told in note for note in typical[1].notes)
    assert told in typical[1].text


def test_an_unknown_rate_is_never_free(typical: tuple[Settings, Imported]) -> None:
    """A model on the internet whose rates nobody knows is left out, with its entry to be filled in."""
    assert "openai/foo" not in by_id(typical[0])
    assert "# - id: openai/foo\n" in typical[1].text


def test_one_model_at_two_rates_is_two_models(tmp_path: Path) -> None:
    """The same upstream model at other costs gets an id of its own, so that each bill is right."""
    entry = """
  - model_name: m
    litellm_params: {model: openai/x, api_key: k, input_cost_per_token: COST, output_cost_per_token: 1e-6}
"""
    text = "model_list:" + "".join(entry.replace("COST", cost) for cost in ("1e-6", "2e-6", "1e-6"))
    settings, _ = imported(tmp_path, text)
    assert [(model.id, model.endpoints[0].model) for model in settings.models] == [
        ("openai/x", "x"),
        ("openai/x-2", "x"),
    ]
    assert [int(model.rates[0].input[0].usd_per_million) for model in settings.models] == [1, 2]
    assert settings.aliases[-1].models == ("openai/x", "openai/x-2")


def test_a_name_that_is_an_id_needs_no_alias(tmp_path: Path) -> None:
    """Where clients ask for `openai/gpt-4o-mini`, that is the model's id already."""
    settings, _ = imported(
        tmp_path,
        "model_list: [{model_name: openai/gpt-4o-mini, litellm_params: {model: openai/gpt-4o-mini, api_key: k}}]",
    )
    assert [alias.name for alias in settings.aliases] == ["auto"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("models: []", "no `model_list`"),
        ("model_list: [{model_name: a}]", "no `model_name` or no `litellm_params`"),
        ("model_list: [{model_name: a, litellm_params: {rpm: 1}}]", "no `model`"),
        ("model_list: [{model_name: a, litellm_params: {model: openai/nobody-knows}}]", "nothing in `model_list`"),
        ("model_list: [{model_name: a, litellm_params: {model: gpt-4o, rpm: many}}]", "is no number"),
    ],
)
def test_what_cannot_be_imported_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """No file is better than a file that serves nothing."""
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=what):
        import_litellm(tmp_path / "config.yaml", TODAY)


def test_names_cannot_write_into_the_file(tmp_path: Path) -> None:
    """Names and keys with line breaks stay what they are: they begin no line of the imported file."""
    path = tmp_path / "config.yaml"
    path.write_text('model_list: [{model_name: "a\\nstate: x", litellm_params: {model: gpt-4o, "b\\nstate: /": 1}}]')
    found = import_litellm(path, TODAY)
    assert len(found.notes) == 1
    assert not any(line.startswith("state") for line in found.text.splitlines())
