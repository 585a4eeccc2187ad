"""`pointsman.yaml`: read as a whole, refused with the line, and never a word of a secret."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool import config_sections
from pointsman.pool.cards import Step
from pointsman.pool.config_nodes import compose
from pointsman.pool.registry import read_settings
from pointsman.pool.reload import changed, stamp
from pointsman.pool.settings import Alias, Settings, WindowRule

TODAY = date(2026, 6, 1)
SECRET = "sk-very-secret-1234"
ENVIRON = {
    "OPENAI_API_KEY": SECRET,
    "ANTHROPIC_API_KEY": SECRET,
    "GEMINI_API_KEY": SECRET,
    "POINTSMAN_MASTER_KEY": SECRET,
    "HOST": "https://api.example.com/v1/",
}
MODEL = "models:\n  - {id: p/m, base_url: 'http://127.0.0.1:9', rates: free}\n"


def settings(folder: Path, text: str) -> Settings:
    path = folder / "pointsman.yaml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, ENVIRON, TODAY)


def refusal(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        settings(folder, text)
    return caught.value


def test_a_provider_says_the_rest(tmp_path: Path) -> None:
    """An id is enough: address, key, kind, shapes, rates, context and abilities follow from the provider."""
    found = settings(tmp_path, "models: [{id: openai/gpt-4o-mini}, {id: anthropic/claude-haiku-4-5}]")
    mini, haiku = found.models
    (end,) = mini.endpoints
    assert (end.name, end.kind, end.base_url) == ("openai/gpt-4o-mini", "openai", "https://api.openai.com/v1")
    assert (end.model, end.key) == ("gpt-4o-mini", SECRET)
    assert end.shapes == {"chat", "completions", "embeddings", "responses"}
    assert mini.rates[-1].output == (Step(0, Decimal("0.6")),)
    assert mini.context_tokens == 128_000
    assert mini.capabilities == {"streaming", "tools", "json", "vision"}
    assert haiku.endpoints[0].kind == "anthropic"
    assert haiku.endpoints[0].shapes == {"messages"}
    assert haiku.rates[-1].cache_write_1h == (Step(0, Decimal(2)),)
    assert found.aliases == (Alias("auto"),)
    assert found.state == tmp_path / "pointsman-state"
    assert found.master_key is None
    assert found.path == tmp_path / "pointsman.yaml"


def test_a_file_with_everything(tmp_path: Path) -> None:
    """Each section's values arrive in its fields, exact and in their units."""
    (tmp_path / "past").mkdir()
    found = settings(
        tmp_path,
        """
master_key: os.environ/POINTSMAN_MASTER_KEY
state: elsewhere
server: {host: 0.0.0.0, port: 80, workers: 2, body_limit: 1.5MB, drain: 0}
models:
  - id: local/big
    endpoints:
      - {name: one, base_url: os.environ/HOST, key: none, headers: {X-Team: a}}
      - {base_url: "http://localhost:1/v1/", model: other, shapes: [chat]}
    rates:
      - {input: 0.1, output: 1e0}
      - since: 2026-05-01
        input: [{from: 0, usd: 0.15}, {from: 200_001, usd: 0.30}]
        output: 0.60
        cached: 0.075
        request: 0.002
    context: 8192
    max_output: 1024
    capabilities: [tools]
    tags: [eu, gpu]
    tier: large
    quality: 0.72
    output_tokens: 400
    history: big
  - {id: openai/gpt-4o-mini}
funds:
  - {name: all, amount: 0.123456789, window: 1mo, zone: Europe/Berlin}
  - {name: tpm, amount: 200_000, unit: tokens, window: 1m, providers: [openai]}
  - {name: team, amount: 5, window: {calendar: day, zone: UTC}, keys: [a], tags: [t], models: ["local/*"]}
  - {name: once, amount: 0, pace: 10d}
aliases:
  auto: {models: ["*"], trade_off: null, scarcity: queue, queue: 10s}
  cheap: {models: [openai/gpt-*], trade_off: 8, max_cost_usd: 0.01}
  here: {tags: [eu]}
routing: {ceiling: quantile, quantile: 0.9, expect_per_day: 5}
failure: {first_token: 500ms, hold: 1h, hedge_after: 2s}
learning: {history: past, store_prompts: yes, refit: 0}
telemetry: {log: off, metrics_public: true, otlp: "http://127.0.0.1:4318"}
""",
    )
    big = found.models[0]
    one, two = big.endpoints
    assert (one.name, one.base_url, one.key) == ("one", "https://api.example.com/v1", None)
    assert one.headers == {"x-team": "a"}
    assert (two.name, two.base_url, two.model) == ("local/big#2", "http://localhost:1/v1", "other")
    assert two.shapes == {"chat"}
    assert [rates.since for rates in big.rates] == [date.min, date(2026, 5, 1)]
    assert big.rates[1].input == (Step(0, Decimal("0.15")), Step(200_001, Decimal("0.30")))
    assert big.rates[1].request_usd == Decimal("0.002")
    assert (big.context_tokens, big.max_output_tokens, big.capabilities) == (8192, 1024, frozenset({"tools"}))
    assert big.tags == {"eu", "gpu"}
    assert (big.tier, big.quality, big.output_tokens, big.history) == ("large", 0.72, 400, "big")
    everything, tpm, team, once = found.funds
    assert everything.amount == 123_456_789
    assert everything.window == WindowRule("calendar", every="month", zone="Europe/Berlin")
    assert (tpm.amount, tpm.unit, tpm.window, tpm.providers) == (
        200_000,
        "tokens",
        WindowRule("rolling", 60),
        ("openai",),
    )
    assert (team.models, team.keys, team.tags) == (("local/big",), ("a",), ("t",))
    assert team.window == WindowRule("calendar", every="day")
    assert (once.amount, once.window.kind, once.pace_over_s) == (0, "none", 864_000)
    assert found.aliases == (
        Alias("auto", scarcity="queue", queue_s=10.0),
        Alias("cheap", ("openai/gpt-4o-mini",), 8.0, 10_000_000),
        Alias("here", tags=("eu",)),
    )
    assert (found.server.body_bytes, found.server.port, found.server.drain_s) == (1_572_864, 80, 0.0)
    assert (found.routing.ceiling, found.routing.quantile) == ("quantile", 0.9)
    assert (found.failure.first_token_s, found.failure.hold_s, found.failure.hedge_after_s) == (0.5, 3600.0, 2.0)
    assert (found.learning.history, found.learning.store_prompts, found.learning.refit_s) == (
        tmp_path / "past",
        True,
        0,
    )
    assert (found.telemetry.log, found.telemetry.otlp) == ("off", "http://127.0.0.1:4318")
    assert (found.state, found.master_key) == (tmp_path / "elsewhere", SECRET)


def test_embedding_models_serve_embeddings_and_nothing_else(tmp_path: Path) -> None:
    """Told by their name or by their shapes, so that no conversation is sent to them; they need no output rate."""
    found = settings(
        tmp_path,
        """
models:
  - id: openai/text-embedding-3-small
  - {id: p/vectors, base_url: "http://127.0.0.1:9", shapes: [embeddings], rates: {input: 0.1}}
""",
    )
    for model in found.models:
        assert model.capabilities == {"embeddings"}
        assert model.endpoints[0].shapes == {"embeddings"}


def test_numbers_are_read_from_the_text(tmp_path: Path) -> None:
    """An amount that no float holds is exact."""
    found = settings(tmp_path, MODEL + "funds: [{name: f, amount: 900000000.123456789}, {name: g, amount: '0.1'}]")
    assert [fund.amount for fund in found.funds] == [900_000_000_123_456_789, 100_000_000]


def test_parts_can_be_shared(tmp_path: Path) -> None:
    """YAML's anchors and `<<` work; what stands beside a `<<` goes before it."""
    found = settings(
        tmp_path,
        """
models:
  - &one {id: p/a, base_url: "http://127.0.0.1:9", rates: free, tier: small}
  - {<<: *one, id: p/b}
""",
    )
    assert [(model.id, model.tier) for model in found.models] == [("p/a", "small"), ("p/b", "small")]


GPT = "models:\n  - {id: openai/gpt-4o-mini, "
OWN = "models:\n  - {id: p/m, base_url: 'https://p.example', "
REFUSED = [
    ("models: [{id: openai/gpt-4o-mini}]\nfund: []", 2, "key `fund` is unknown", "did you mean `funds`"),
    (MODEL + "server:\n  prot: 1", 4, "key `prot` is unknown in `server`", "`port`"),
    ("models:\n  - id: openai/gpt-4o-mini\n    teir: small", 3, "`teir` is unknown", "`tier`"),
    ("state: x", 1, "no list `models`", "add `models:`"),
    ("models: []", 1, "empty list", "list at least one"),
    ("models: {a: b}", 1, "is no list", "- …"),
    ("models:\n  - tier: small", 2, "no `id`", "provider/model"),
    ("models:\n  - id: gpt", 2, "'gpt' is no model id", "provider/model"),
    ("models:\n  - id: pointsman/auto", 2, "names aliases", "another provider"),
    (MODEL + "  - {id: p/m, base_url: 'http://127.0.0.1:9', rates: free}", 3, "given twice", "endpoints"),
    (GPT + "endpoints: [{name: a}, {name: a}]}", 2, "endpoint 'a' is given twice", "unique"),
    (MODEL + "models: []", 3, "key `models` is given twice", "leave one"),
    ("models:\n  - {id: p/m, rates: free}", 2, "no known address", "base_url"),
    (OWN + "rates: free}", 2, "no key is given for p.example", "key: none"),
    ("models:\n  - {id: openai/x, base_url: 'https://p.example', rates: free}", 2, "no key is given", "os.environ"),
    ("models:\n  - {id: mistral/mistral-small-latest}", 2, "variable MISTRAL_API_KEY is not set", "set it"),
    ("models:\n  - id: openai/gpt-4o-mini\n    key: os.environ/NONE", 3, "variable NONE is not set", "change `key`"),
    ("models:\n  - {id: openai/nobody-knows}", 2, "rates of openai/nobody-knows are not known", "`rates: free`"),
    ("models:\n  - {id: p/m, base_url: 'ftp://x', rates: free}", 2, "no address", "https://"),
    ("models:\n  - {id: p/m, base_url: 'https://a:b@x', key: none, rates: free}", 2, "holds a user", "`headers`"),
    ("models:\n  - {id: google/gemini-embedding-001}", 2, "embeddings of gemini are not spoken", "kind: openai"),
    ("models:\n  - {id: anthropic/claude-haiku-4-5, shapes: [chat]}", 2, "'chat' is unknown", "`messages`"),
    (GPT + "rates: gratis}", 2, "`rates: gratis` is unknown", "`free`"),
    (GPT + "rates: {input: 1}}", 2, "no `output`", "per million"),
    (GPT + "rates: {input: -1, output: 1}}", 2, "out of range", "0 to"),
    (GPT + "rates: {input: NaN, output: 1}}", 2, "is no number", "0.15"),
    (GPT + "rates: {input: 1, output: 1, since: 2027-01-01}}", 2, "begin on 2027", "free"),
    (GPT + "rates: [{input: 1, output: 1}, {input: 1, output: 1}]}", 2, "not after", "later"),
    (GPT + "rates: {output: 1, input: [{from: 5, usd: 1}]}}", 2, "begin at 0", "from: 0"),
    (GPT + "quality: 1.5}", 2, "out of range", "0 to 1"),
    (GPT + "tier: tiny}", 2, "'tiny' is unknown in `tier`", "`small`"),
    (GPT + "context: 1.5}", 2, "not whole", "decimals"),
    (MODEL + "funds:\n  - {name: f}", 4, "no `amount`", "add"),
    (MODEL + "funds:\n  - {name: f, amount: 1}\n  - {name: f, amount: 2}", 5, "fund 'f' is given twice", "unique"),
    (MODEL + "funds:\n  - {name: 'key:a:rpm', amount: 1}", 4, "begins with 'key:'", "virtual keys"),
    (MODEL + "funds:\n  - {name: f, amount: 1e-10}", 4, "finer than a nano-dollar", "9 decimals"),
    (MODEL + "funds:\n  - {name: f, amount: 1.5, unit: requests}", 4, "not whole", "decimals"),
    (MODEL + "funds:\n  - {name: f, amount: 1, models: [p/x]}", 4, "'p/x' in `models` fits no model", "`p/m`"),
    (MODEL + "funds:\n  - {name: f, amount: 1, models: []}", 4, "empty list", "leave `models` out"),
    (MODEL + "funds:\n  - {name: f, amount: 1, providers: [q]}", 4, "no model is of provider 'q'", "use"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 2mo}", 4, "2mo` is unknown", "1mo"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 1y}", 4, "no length of time", "7d"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 100ms}", 4, "not of whole seconds", "1s"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 1d, zone: UTC}", 4, "`zone` has no effect", "1mo"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 1mo, zone: Mars/Base}", 4, "'Mars/Base' is unknown", "Europe"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: {}}", 4, "neither or both", "write one"),
    (MODEL + "funds:\n  - {name: f, amount: 1, window: 1d, pace: 1d}", 4, "`pace` has no effect", "without"),
    (MODEL + "aliases:\n  p/m: {}", 4, "named as a model", "rename"),
    (MODEL + "aliases:\n  fast: {models: [q/*]}", 4, "'q/*' in `models` fits no model", "use"),
    (MODEL + "aliases:\n  fast: {tags: [eu]}", 4, "all of its `tags`", "give a model"),
    (MODEL + "aliases:\n  fast: {queue: 1s}", 4, "`queue` has no effect", "scarcity: queue"),
    (MODEL + "aliases:\n  fast: {trade_off: 11}", 4, "out of range", "0 to 10"),
    (MODEL + "failure: {total: 2h}", 3, "less than an exchange may take", "raise `hold`"),
    (MODEL + "failure: {connect: 5}", 3, "no length of time", "30s"),
    (MODEL + "server: {host: 0.0.0.0}", 3, "no `master_key`", "127.0.0.1"),
    (MODEL + "server: {body_limit: 20}", 3, "no size", "20MB"),
    (MODEL + "learning: {history: nowhere}", 3, "there is no folder", "make it"),
    (MODEL + "learning: {store_prompts: maybe}", 3, "neither true nor false", "true or false"),
    (MODEL + "routing: {quantile: 1}", 3, "out of range", "0.999999"),
    ("models: [\n  {id: a/b", 2, "this is not YAML", "quotes"),
    ("a: b\n---\nc: d", 2, "this is not YAML", "check"),
    ("models:\n\t- id: a/b", 2, "this is not YAML", "indents"),
    ("? [a]\n: b", 1, "a key is a list", "before the colon"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "what", "remedy"), REFUSED, ids=[f"{one[2]}" for one in REFUSED])
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, what: str, remedy: str
) -> None:
    """File and line, what is wrong and what to do about it."""
    error = refusal(tmp_path, text)
    assert error.place == f"{tmp_path / 'pointsman.yaml'}, line {line}"
    assert what in error.what
    assert remedy in error.remedy


@pytest.mark.parametrize("text", ["", "# nothing", "[" * 1_500, "a: \x00b", "models: *nobody"])
def test_files_that_are_no_configuration(tmp_path: Path, text: str) -> None:
    """Empty, endlessly nested or unreadable files are refused as any other."""
    assert "pointsman.yaml" in refusal(tmp_path, text).place


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """No file, a folder, and bytes that aren't text."""
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff")
    for name in ("none.yaml", ".", "bytes.yaml"):
        with pytest.raises(InputError):
            read_settings(tmp_path / name, {}, TODAY)


def test_a_key_goes_only_where_the_file_says(tmp_path: Path) -> None:
    """A provider's key isn't sent to another address; a server on this machine gets none unless one is given."""
    found = settings(
        tmp_path,
        "models:\n  - {id: openai/a, base_url: 'http://127.0.0.1:9/v1', rates: free}\n"
        "  - {id: openai/b, base_url: 'https://proxy.example', key: os.environ/OPENAI_API_KEY, rates: free}\n",
    )
    assert [model.endpoints[0].key for model in found.models] == [None, SECRET]


def test_azure_addresses_keep_their_query(tmp_path: Path) -> None:
    """An OpenAI-like address may end in a query; others may not, since a path is added to them."""
    found = settings(
        tmp_path, "models: [{id: a/b, base_url: 'https://x.example/o?api-version=1', key: k, rates: free}]"
    )
    assert found.models[0].endpoints[0].base_url == "https://x.example/o?api-version=1"
    text = "models: [{id: a/b, kind: anthropic, base_url: 'https://x.example/o?v=1', key: k, rates: free}]"
    assert "query" in refusal(tmp_path, text).what


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Settings can be printed: keys are in none of their representations."""
    found = settings(tmp_path, "master_key: os.environ/POINTSMAN_MASTER_KEY\nmodels: [{id: openai/gpt-4o-mini}]")
    assert found.models[0].endpoints[0].key == found.master_key == SECRET
    assert SECRET not in repr(found)


@pytest.mark.parametrize("value", [f"{SECRET} x", f'"{SECRET}\\u00e9"', f'"{SECRET}\\n{SECRET}"', f"[{SECRET}]"])
@pytest.mark.parametrize(
    "text",
    [
        "master_key: VALUE\nmodels: [{id: openai/gpt-4o-mini}]",
        "models: [{id: openai/x, key: VALUE, rates: free}]",
        "models: [{id: openai/x, headers: {'x y': VALUE}, rates: free}]",
        "models: [{id: openai/x, rates: free, context: os.environ/OPENAI_API_KEY}] # VALUE",
        "models: [{id: openai/x, rates: free, tier: os.environ/OPENAI_API_KEY}] # VALUE",
        "models: [{id: openai/x, base_url: os.environ/OPENAI_API_KEY, key: k, rates: free}] # VALUE",
        "failure: {total: os.environ/OPENAI_API_KEY}\nmodels: [{id: openai/x, rates: free}] # VALUE",
        "learning: {history: os.environ/OPENAI_API_KEY}\nmodels: [{id: openai/x, rates: free}] # VALUE",
    ],
)
def test_no_error_tells_a_secret(tmp_path: Path, text: str, value: str) -> None:
    """A key that can't be used is refused without being quoted."""
    assert SECRET not in str(refusal(tmp_path, text.replace("VALUE", value)))


WORDS = "models id openai/gpt-4o-mini p/m funds amount 1 -1 1e999999 ~ free rates [ ] { } : , << !!int ' aliases window"
PIECES = st.sampled_from([*WORDS.split(), ": ", "- ", "\n", "\n  ", "&a ", "*a", "1mo", "os.environ/X"])


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in a file, it's settings or one clear error; nothing else comes out."""
    path = PATHS / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with suppress(InputError):
        read_settings(path, ENVIRON, TODAY)


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global PATHS  # noqa: PLW0603 - hypothesis takes no function-scoped fixtures
    PATHS = tmp_path_factory.mktemp("any")


PATHS: Path


def test_a_merge_of_itself_ends(tmp_path: Path) -> None:
    """A mapping that merges itself, directly or round about, is refused."""
    assert "merge" in refusal(tmp_path, "server: &a\n  <<: *a\n" + MODEL).remedy
    assert "merge" in refusal(tmp_path, MODEL + "aliases: &a\n  b: &b\n    <<: *a\n  <<: *b").remedy


def test_every_setting_has_a_key() -> None:
    """Each field of a section can be set by exactly one key of the file."""
    defaults = Settings(models=())
    for name in ("server", "routing", "failure", "learning", "telemetry", "dashboard"):
        table: config_sections.Table = getattr(config_sections, name.upper())
        fields: Any = type(getattr(defaults, name)).__dataclass_fields__
        assert sorted(field for field, _ in table.values()) == sorted(fields)


def test_changed_files_are_seen(tmp_path: Path) -> None:
    """Another text or another file of that name is a change; the same file, or none for a moment, is not."""
    path = tmp_path / "pointsman.yaml"
    assert stamp(path) is None
    path.write_text("a")
    first = stamp(path)
    assert not changed(path, first)
    other = tmp_path / "other"
    other.write_text("b")
    other.replace(path)
    assert changed(path, first)
    path.unlink()
    assert not changed(path, first)


def test_compose_keeps_lines(tmp_path: Path) -> None:
    """Entries know the line that they stand in."""
    path = tmp_path / "x.yaml"
    path.write_text("a:\n  - 1\n  - 2\n")
    entries = list(compose(path, {}).pairs()["a"].items())
    assert [entry.place for entry in entries] == [f"{path}, line 2", f"{path}, line 3"]
