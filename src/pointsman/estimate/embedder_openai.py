"""Embeddings from any OpenAI-compatible `/embeddings` endpoint, over HTTP.

Takes texts in batches, retries what may pass by itself, gives unit rows. The key is read from the environment by
`openai_embedder` and leaves this process only in the request's header. No error shows a key, a text, or the
endpoint's own words, since those may repeat either.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.estimate.embedder import at_least, embed_visible, ends, well_formed
from pointsman.records import Vectors

KEY_ENV = "OPENAI_API_KEY"
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
TIMEOUT_SECONDS = 60.0
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
PROBE = "dimension"


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        model: the endpoint's name for it.
        base_url: up to but without `/embeddings`, e.g. `https://api.openai.com/v1`; http or https, without a user,
            a password or a query in it.
        key: sent as a bearer token; None or empty sends none (local servers).
        key_env: the name of the variable that the key came from, for error messages.
        dimension: asked of the endpoint and checked; None takes what the model gives, found by one small request.
        batch: texts a request.
        cap_characters: how much of a text is sent, at least 2; of a longer one the first and the last half.
        pause: sleeps for so many seconds between attempts.

    Raises:
        InputError: a URL, a key or a number that can't be used.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        key: str | None = None,
        *,
        key_env: str = KEY_ENV,
        dimension: int | None = None,
        batch: int = 64,
        cap_characters: int = 24_000,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = _checked_url(base_url) + "/embeddings"
        self._place = f"embedder 'openai:{model}@{base_url}'"
        self._headers = {"Authorization": f"Bearer {_checked_key(key, key_env)}"} if key else {}
        for option, value, least in (("batch", batch, 1), ("cap_characters", cap_characters, 2)):
            at_least(self._place, option, value, least)
        if dimension is not None:
            at_least(self._place, "dimension", dimension, 1)
        self._model, self._asked, self._found = model, dimension, dimension
        self._batch, self._cap = batch, cap_characters
        self._key_env, self._pause = key_env, pause
        self._process = -1
        self._client: httpx.Client | None = None
        self.name = f"openai/{self._url}/{model}/dimension={dimension or 'own'}/cap={cap_characters}"

    @property
    def dimension(self) -> int:
        """D; the first use asks the endpoint unless it was given.

        Raises:
            InputError: as `embed`.
        """
        if self._found is None:
            self._found = int(self._vectors([PROBE]).shape[1])
        return self._found

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, D], see `Embedder.embed`.

        Raises:
            InputError: the endpoint can't be reached, refuses, or answers in another form.
        """
        return embed_visible(texts, self.dimension, self._encode)

    def _encode(self, texts: list[str]) -> NDArray[np.floating]:
        short = [ends(well_formed(text), self._cap) for text in texts]
        return np.vstack([self._vectors(short[at : at + self._batch]) for at in range(0, len(short), self._batch)])

    def _vectors(self, texts: list[str]) -> NDArray[np.floating]:
        response = self._post(texts)
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response.status_code)
        try:
            return _read(response.json(), len(texts))
        except (ValueError, TypeError, KeyError):
            raise InputError(
                "the endpoint's answer is not a list of embeddings, one a text",
                place=self._place,
                remedy="check that the base URL is that of an OpenAI-compatible API",
            ) from None

    def _post(self, texts: list[str]) -> httpx.Response:
        """The first answer that is not a passing trouble, or the last answer."""
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._asked is not None:
            body["dimensions"] = self._asked
        for attempt in range(ATTEMPTS):
            response = self._send(body)
            if response is not None and response.status_code not in PASSING:
                return response
            if attempt < ATTEMPTS - 1:
                self._pause(_wait_seconds(response, attempt))
        if response is None:
            raise InputError(
                f"no answer after {ATTEMPTS} attempts",
                place=self._place,
                remedy="check the base URL and the network",
            )
        return response

    def _send(self, body: dict[str, Any]) -> httpx.Response | None:
        """One attempt; None where no answer came."""
        try:
            return self._client_here().post(self._url, json=body, headers=self._headers)
        except httpx.TransportError:
            return None

    def _client_here(self) -> httpx.Client:
        """The connections of this process: those of a parent must not be used after a fork."""
        if self._client is None or self._process != os.getpid():
            self._client, self._process = httpx.Client(timeout=TIMEOUT_SECONDS), os.getpid()
        return self._client

    def _refusal(self, status: int) -> InputError:
        what, remedy = f"the endpoint answered with HTTP status {status}", "check the model and the base URL"
        if status in (401, 403):
            what, remedy = f"the endpoint refused the key (HTTP status {status})", f"set {self._key_env} to a valid key"
        elif status in (400, 413, 422):
            remedy = "check the model; lower #cap_characters or #batch if texts are long"
        elif status in PASSING:
            what, remedy = f"{what}, {ATTEMPTS} times in a row", "try again later, or lower #batch"
        return InputError(what, place=self._place, remedy=remedy)


def openai_embedder(target: str, key_env: str = KEY_ENV, **options: int) -> OpenAIEmbedder:
    """An embedder from `MODEL@BASE_URL`, its key from the environment.

    Args:
        target: the last `@` parts the two, since a model's name may hold one.
        key_env: the variable that holds the key; not set means none is sent.
        options: `dimension`, `batch`, `cap_characters` of `OpenAIEmbedder`.

    Raises:
        InputError: no `@`, or as `OpenAIEmbedder`.
    """
    model, _, base_url = target.rpartition("@")
    if not model or not base_url:
        raise InputError(
            "a model and a base URL are needed",
            place="embedder 'openai'",
            remedy="write it like 'openai:text-embedding-3-small@https://api.openai.com/v1'",
        )
    key = os.environ.get(key_env, "").strip()
    return OpenAIEmbedder(
        model,
        base_url,
        key,
        key_env=key_env,
        dimension=options.get("dimension"),
        batch=options.get("batch", 64),
        cap_characters=options.get("cap_characters", 24_000),
    )


def _wait_seconds(response: httpx.Response | None, attempt: int) -> float:
    """What the endpoint asks for in `Retry-After`, else doubling from half a second; bounded either way."""
    wait = FIRST_WAIT_SECONDS * 2.0**attempt
    asked = response.headers.get("retry-after", "") if response is not None else ""
    if asked.isdecimal():
        wait = float(asked)
    return min(wait, LONGEST_WAIT_SECONDS)


def _read(answer: Any, count: int) -> NDArray[np.floating]:
    """float32 [count, D] from an answer's `data`, in the order of its `index`.

    Raises:
        ValueError, TypeError, KeyError: the answer has another form.
    """
    rows = {int(item["index"]): item["embedding"] for item in answer["data"]}
    if sorted(rows) != list(range(count)):
        raise ValueError("not one embedding a text")
    vectors = np.array([rows[row] for row in range(count)], dtype=np.float32)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError("not a list of numbers a text")
    return vectors


def _checked_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    # a name or key in the URL would show in every error and in the cache's key
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise InputError(
            "the base URL can't be used",
            place="embedder 'openai'",
            remedy="give http(s)://host[:port]/path without a user, a password or a query; the key goes into the "
            "environment",
        )
    return base_url.rstrip("/")


def _checked_key(key: str, key_env: str) -> str:
    # checked here because the HTTP library would repeat a malformed header in its error
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            "the key holds a space, a control character or a letter outside ASCII",
            place=key_env,
            remedy="copy the key again, without quotes or line breaks",
        )
    return key
