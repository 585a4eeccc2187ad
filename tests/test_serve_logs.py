"""Logs: one line an exchange, and never a secret or a prompt."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_finished import SERVED, finished, refused
from pointsman.errors import InputError
from pointsman.pool.settings import TelemetrySettings
from pointsman.serve.finished import Hop
from pointsman.serve.logs import Logs
from pointsman.serve.redaction import Redactor, forms_of
from pointsman.serve.wire.errors import Refusal

SECRET = "not-like-any-known-key+/=0123"
KEY = "sk-pm-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde"
Mode = Literal["json", "console", "off"]


class Written:
    """A log and what it has written."""

    def __init__(self, mode: Mode = "json", level: Any = "info", secrets: tuple[str, ...] = (SECRET,)) -> None:
        self.out = io.BytesIO()
        now = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
        self.logs = Logs(TelemetrySettings(log=mode, level=level), secrets, self.out, lambda: now)

    @property
    def text(self) -> str:
        return self.out.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def taken() -> Iterator[Written]:
    """A log that other libraries write to as well."""
    written = Written()
    written.logs.take_over()
    yield written
    written.logs.give_back()


def test_one_line_an_exchange() -> None:
    """A served exchange by hand, as one JSON object on one line."""
    written = Written()
    written.logs.exchange(SERVED)
    assert written.text.count("\n") == 1
    assert written.lines == [
        {
            "time": "2026-01-02T03:04:05.678+00:00",
            "level": "info",
            "event": "exchange",
            "decision_id": "d-1",
            "key_id": "team-a",
            "shape": "chat",
            "asked": "auto",
            "model": "openai/gpt-4o-mini",
            "endpoint": "openai/gpt-4o-mini@1",
            "outcome": "served",
            "status": 200,
            "reason": "best",
            "stream": True,
            "cost_usd": 3.45e-5,
            "total_ms": 700.5,
            "overhead_ms": 0.6,
            "input_tokens": 30,
            "output_tokens": 50,
            "cached_tokens": 10,
            "first_token_ms": 310.4,
            "faults": ["anthropic/claude@1: overloaded"],
        }
    ]


def test_trouble_is_a_warning() -> None:
    """A failed upstream and an overrun are warnings; a refusal is not; at level warning only these are written."""
    written = Written(level="warning")
    for each in (SERVED, refused(), finished(outcome="upstream_failed"), finished(overrun_nano=1)):
        written.logs.exchange(each)
    assert [line["level"] for line in written.lines] == ["warning", "warning"]
    assert written.lines[1]["overrun_usd"] == 1e-9


def test_off_writes_nothing() -> None:
    """Neither exchanges nor anything else."""
    written = Written("off")
    written.logs.exchange(SERVED)
    written.logs.log.critical("fire")
    assert written.text == ""


def test_lines_for_people() -> None:
    """On a console: the same fields as text, one line, and no character of a client's that a terminal would obey."""
    written = Written("console")
    written.logs.exchange(finished(asked="au\x1b[31mto\n2026 forged line"))
    assert written.text.count("\n") == 1
    assert "\x1b" not in written.text
    assert "decision_id=d-1" in written.text


places = st.sampled_from(["asked", "decision_id", "key_id", "model", "endpoint", "reason", "hop"])
surroundings = st.text(max_size=400)


@given(
    place=places,
    before=surroundings,
    after=surroundings,
    secret=st.sampled_from([SECRET, KEY]),
    mode=st.sampled_from(["json", "console"]),
)
@settings(max_examples=150, deadline=None)
def test_a_secret_in_an_exchange_is_never_written(place: str, before: str, after: str, secret: str, mode: Mode) -> None:
    """Wherever a known secret, or one that looks like a key, stands in an exchange: no line holds it."""
    text = f"{before} {secret} {after}" if secret == KEY else before + secret + after
    changes = {"hops": (Hop("a/b", text, "server", 0, 0.0),)} if place == "hop" else {place: text}
    written = Written(mode)
    written.logs.exchange(finished(**changes))
    assert secret not in written.text
    assert secret[:-4] not in written.text


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.binary(max_size=9)
    | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=9) | st.just(SECRET), inner, max_size=4)
        | st.builds(lambda each: InputError(f"{each}"), inner)
    ),
    max_leaves=12,
)
names = st.text("abcdefghijk_", min_size=1, max_size=9).filter(lambda name: name not in {"event", "self", "exc_info"})


@given(
    fields=st.dictionaries(names, anything, max_size=5),
    event=st.text(max_size=20),
    mode=st.sampled_from(["json", "console"]),
)
@settings(max_examples=150, deadline=None)
def test_a_secret_anywhere_is_never_written(fields: dict[str, Any], event: str, mode: Mode) -> None:
    """In any field, at any depth, as a key or a value, in the event itself: a line is written, and not the secret."""
    written = Written(mode)
    written.logs.log.info(event + SECRET, **fields)
    assert written.text.endswith("\n")
    assert SECRET not in written.text
    if mode == "json":
        assert written.text.count("\n") == 1
        json.loads(written.text)


@given(
    secret=st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=4, max_size=40),
    before=st.text(max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_any_secret_is_found_in_any_form(secret: str, before: str) -> None:
    """Quotes, backslashes and all: hidden when it is represented, put into an address, or written as JSON."""
    redact = Redactor([secret])
    for form in (
        secret,
        repr(secret),
        json.dumps(before + secret, ensure_ascii=False),
        json.dumps({secret: repr([secret])}),
    ):
        hidden = redact(form.encode(errors="replace"))
        assert not any(each in hidden for each in forms_of(secret) if each not in b"[redacted]")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-abcdefgh_1234",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "gsk_abcdefgh12345678",
        "hf_abcdefghijkl",
        "xai-abcdefgh12345678",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def-ghi",
    ],
)
def test_what_looks_like_a_key_is_hidden(secret: str) -> None:
    """Keys of known makers are hidden though nobody has named them; so is what follows a scheme of authentication."""
    redact = Redactor()
    assert redact(f'{{"x": "{secret}"}}'.encode()) == b'{"x": "[redacted]"}'
    assert redact(f"https://h/v1?key={secret}&a=1".encode()) == b"https://h/v1?key=[redacted]&a=1"
    assert redact(b"authorization: Bearer anything-at-all, then") == b"authorization: Bearer [redacted], then"


def test_ordinary_text_stays() -> None:
    """Model names, ids and words with hyphens are not taken for keys."""
    for text in (b"task-oriented risk-averse", b"openai/gpt-4o-mini@1", b"d-0123456789abcdef", b"a basic_ thing"):
        assert Redactor([""])(text) == text


def test_secrets_can_change() -> None:
    """After a reload the new ones are hidden."""
    written = Written()
    written.logs.set_secrets(["brand-new-secret"])
    written.logs.log.info("x", a="brand-new-secret")
    assert "brand-new" not in written.text


def test_prompts_and_credentials_are_left_out_by_name() -> None:
    """Fields that carry what was asked or a key are not shown, at any depth; no object shows its insides."""
    written = Written()
    nested = {"messages": [{"content": "my prompt"}], "Authorization": "letmein", "n": 1, "o": object()}
    written.logs.log.info("x", body=b"my prompt", inner=nested, prompt="my prompt", api_key="letmein")
    assert "my prompt" not in written.text
    assert "letmein" not in written.text
    assert written.lines[0]["inner"]["n"] == 1
    assert written.lines[0]["inner"]["o"] == "<object>"


def raised(error: Exception) -> dict[str, Any]:
    written = Written()
    try:
        raise error
    except Exception:
        written.logs.log.exception("trouble")
    shown: dict[str, Any] = written.lines[0]["exception"]
    return shown


def test_exceptions_show_their_place_and_harmless_words_alone() -> None:
    """Ours and the system's say what they say; any other shows its type and frames, since its words may be a prompt."""
    assert raised(InputError("no such file"))["says"] == "no such file."
    assert "says" in raised(FileNotFoundError(2, "No such file"))
    assert raised(Refusal("overloaded", "my prompt"))["refusal"] == "overloaded"
    for error in (ValueError("my prompt"), KeyError("my prompt"), Refusal("overloaded", "my prompt")):
        shown = raised(error)
        assert "my prompt" not in json.dumps(shown)
        assert shown["type"] == type(error).__name__
        assert "test_serve_logs.py" in shown["frames"][-1]


def test_other_libraries_go_the_same_way(taken: Written) -> None:
    """What the server and others log is a line like ours: first line only, redacted, with the exception's place."""
    logging.getLogger("uvicorn.error").info("Started with %s\nmy prompt", SECRET)
    logging.getLogger("other").log(25, "odd level")
    ours = next(handler for handler in logging.getLogger().handlers if type(handler).__name__ == "_Foreign")
    ours.handle(logging.LogRecord("other", 30, __file__, 1, "bad %d arguments", ("x",), None))
    logging.getLogger("uvicorn.access").info("GET /?prompt=hello")
    first, second, third = taken.lines
    assert (first["event"], first["logger"]) == ("Started with [redacted]", "uvicorn.error")
    assert second["level"] == "info"
    assert third["event"] == "bad %d arguments"


def test_a_lost_task_shows_no_insides(taken: Written) -> None:
    """asyncio's complaint about an exception nobody fetched is logged without the task and the exception's words."""

    async def lost() -> None:
        async def fail() -> None:
            raise ValueError("my prompt")

        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    asyncio.run(lost())
    assert "my prompt" not in taken.text
    assert taken.lines[0]["event"] == "Task exception was never retrieved"
    assert taken.lines[0]["exception"]["type"] == "ValueError"


def test_a_line_that_cannot_be_written_hurts_nobody(tmp_path: Path) -> None:
    """A closed stream or a full disk costs the line and nothing else."""
    out = (tmp_path / "log").open("wb")
    logs = Logs(TelemetrySettings(), (), out)
    out.close()
    logs.exchange(SERVED)
    with Path("/dev/full").open("wb", buffering=0) as full:
        Logs(TelemetrySettings(), (), full).exchange(SERVED)


def test_half_a_surrogate_pair_is_written_all_the_same() -> None:
    """A name that is no text costs its odd character, not the line."""
    written = Written()
    written.logs.exchange(finished(asked="a\ud800b"))
    assert written.lines[0]["asked"] == "a?b"


def test_every_field_is_documented() -> None:
    """Each field of an exchange's line stands in `docs/telemetry.md`."""
    page = (Path(__file__).parent.parent / "docs" / "telemetry.md").read_text()
    written = Written()
    written.logs.exchange(finished(overrun_nano=1))
    for name in written.lines[0]:
        assert f"`{name}`" in page, name
