"""Downloads from a hub on loopback: whole, cut, continued, checked, offline, and turned into outcomes."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner

from pointsman.cli import data
from pointsman.errors import InputError
from pointsman.evaluate.data import catalog
from pointsman.evaluate.data.catalog import Source
from pointsman.evaluate.data.fetch import fetch
from pointsman.evaluate.data.hub import Hub, download
from pointsman.outcomes import read, read_about
from published import embedllm, leaderboard, llmrouterbench, routerbench, sprout

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What the hub does for us: lists a repository, serves its files with ranges; misbehaves on request.

    `seen` collects (method, path, range). `cut` is how many bytes of a body are sent before the line drops, once for
    each entry; with `no_ranges` what asks for the rest gets a 500. `errors` maps a path's end to (status, the hub's
    error code). `listed` may change a listing entry.
    """

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    listed: Callable[[dict[str, object]], object] = lambda entry: None
    small: tuple[str, ...] = (".md", ".yaml")
    address: str = ""
    no_ranges: bool = False

    def listing(self, repo: str) -> bytes:
        entries = []
        for path, body in self.repos[repo].items():
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            entry: dict[str, object] = {"rfilename": path, "size": len(body), "blobId": blob}
            if not path.endswith(self.small):
                entry["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
            self.listed(entry)
            entries.append(entry)
        return json.dumps({"id": repo, "sha": COMMIT, "siblings": entries, "tags": []}).encode()

    def files_asked(self) -> list[tuple[str, str]]:
        return [(path, span) for method, path, span in self.seen if "/resolve/" in path and method == "GET"]


class Handler(BaseHTTPRequestHandler):
    """One request to the fake hub."""

    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.seen.append((self.command, path, self.headers.get("Range", "")))
        trouble = next((error for end, error in self.hub.errors.items() if path.endswith(end)), None)
        listing = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/revision/[^/]+", path)
        file = re.fullmatch(rf"/datasets/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", path)
        if trouble:
            self.answer(trouble[0], b"{}", {"X-Error-Code": trouble[1]})
        elif listing and listing[1] in self.hub.repos:
            self.answer(200, self.hub.listing(listing[1]), {"Content-Type": "application/json"})
        elif file and file[2] in self.hub.repos.get(file[1], {}):
            self.serve(self.hub.repos[file[1]][file[2]])
        else:
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def serve(self, body: bytes) -> None:
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if span and self.hub.no_ranges:
            self.answer(500, b"", {})
            return
        start = int(span[1]) if span else 0
        more = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if span:
            more["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.answer(206 if span else 200, body[start:], more)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            cut = self.hub.cut.pop(0) if self.hub.cut and "/resolve/" in self.path else None
            self.wfile.write(body[:cut])
            self.close_connection = cut is not None

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    """A hub on a free loopback port, with RouterBench in it."""
    hub = FakeHub({"withmartian/routerbench": routerbench()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def quick_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub library waits a second before it goes on after a cut, and keeps what came in pieces of 10 MB."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 50)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)


def unpinned(source: Source) -> Source:
    """The source without the checksums of the real files, on a branch, three repositories at most: for made-up ones."""
    return replace(source, sha256={}, revision="main", repos=source.repos[:3])


PICKLE = "routerbench_0shot.pkl"


def load(fake: FakeHub, cache: Path, source: Source | None = None, **options: bool) -> bytes:
    """RouterBench's file as it lies in the cache after a download."""
    (file,) = download(source or unpinned(catalog.ROUTERBENCH), Hub(cache, endpoint=fake.address, **options))
    return file.local.read_bytes()


def refusal(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.place
    assert caught.value.remedy
    return caught.value


# --- loading --------------------------------------------------------------------------------------------------------


def test_only_what_is_needed_is_loaded_once(fake: FakeHub, tmp_path: Path) -> None:
    """The pickle and not the card; the second time nothing but the listing is asked for."""
    wanted = fake.repos["withmartian/routerbench"][PICKLE]
    assert load(fake, tmp_path) == wanted
    assert [path.rpartition("/")[2] for path, _ in fake.files_asked()] == [PICKLE]
    assert load(fake, tmp_path) == wanted
    assert len(fake.files_asked()) == 1
    assert not list(tmp_path.rglob("*.part*"))


def test_a_cut_line_is_taken_up_where_it_broke(fake: FakeHub, tmp_path: Path) -> None:
    """Twice in one run: the rest is asked for by range, and the file is whole."""
    fake.cut = [100, 200]
    assert load(fake, tmp_path) == fake.repos["withmartian/routerbench"][PICKLE]
    assert [span for _, span in fake.files_asked()] == ["", "bytes=100-", "bytes=300-"]


def test_an_interrupted_run_is_continued_by_the_next(fake: FakeHub, tmp_path: Path) -> None:
    """The hub fails after 150 bytes; they are kept, and the next run asks for the rest alone."""
    wanted = fake.repos["withmartian/routerbench"][PICKLE]
    fake.cut, fake.no_ranges = [150], True
    error = refusal(lambda: load(fake, tmp_path))
    assert "the hub answered 500" in error.what
    (part,) = tmp_path.rglob("*.part")
    assert part.read_bytes() == wanted[:150]
    fake.no_ranges, fake.seen = False, []
    assert load(fake, tmp_path) == wanted
    assert [span for _, span in fake.files_asked()] == ["bytes=150-"]


def test_a_part_that_is_too_long_is_begun_again(fake: FakeHub, tmp_path: Path) -> None:
    """What is left of another version of the file is of no use."""
    wanted = fake.repos["withmartian/routerbench"][PICKLE]
    part = tmp_path / "downloads" / "withmartian--routerbench" / COMMIT / f"{PICKLE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(wanted) + 1))
    assert load(fake, tmp_path) == wanted


def test_small_files_are_checked_too(fake: FakeHub, tmp_path: Path) -> None:
    """A file outside large-file storage has a git object id instead of a SHA-256."""
    source = replace(unpinned(catalog.ROUTERBENCH), files=("README.md",))
    assert load(fake, tmp_path, source) == b"---\n---\n"
    fake.listed = lambda entry: entry.update(blobId="0" * 40)
    assert "has checksum" in refusal(lambda: load(fake, tmp_path / "other", source)).what


# --- what is not trusted --------------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_thrown_away(fake: FakeHub, tmp_path: Path) -> None:
    """Neither a file that differs from the hub's checksum nor one that differs from the pinned one stays."""
    fake.listed = lambda entry: entry.update(lfs={"sha256": "0" * 64, "size": entry["size"], "pointerSize": 1})
    assert "expected 000000000000" in refusal(lambda: load(fake, tmp_path)).what
    fake.listed = lambda entry: None
    pinned = replace(unpinned(catalog.ROUTERBENCH), sha256={PICKLE: "1" * 64})
    assert "expected 111111111111" in refusal(lambda: load(fake, tmp_path, pinned)).what
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(PICKLE)]
    assert load(fake, tmp_path)


def test_the_published_checksum_guards_the_real_source(fake: FakeHub, tmp_path: Path) -> None:
    """Under RouterBench's own name a made-up file is refused, though this hub vouches for it."""
    assert "expected ba4f77f19517" in refusal(lambda: load(fake, tmp_path, catalog.ROUTERBENCH)).what


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_size_is_refused(fake: FakeHub, tmp_path: Path, change: int) -> None:
    """More or fewer bytes than the hub said."""
    fake.listed = lambda entry: entry.update(size=int(str(entry["size"])) + change, lfs=None)
    assert "came incomplete" in refusal(lambda: load(fake, tmp_path)).what


def test_a_listing_cannot_write_elsewhere(fake: FakeHub, tmp_path: Path) -> None:
    """A path that climbs out of the cache is refused before anything is loaded."""
    fake.repos["withmartian/routerbench"] = {f"../../../../{PICKLE}": b"x"}
    source = replace(unpinned(catalog.ROUTERBENCH), files=("*.pkl",))
    assert "outside its folder" in refusal(lambda: load(fake, tmp_path, source)).what
    assert not fake.files_asked()


# --- clear errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "what", "remedy"),
    [
        (404, "RepoNotFound", "is not on the hub", "moved"),
        (401, "RepoNotFound", "is not on the hub", "log in"),
        (404, "RevisionNotFound", "is not on the hub", "moved"),
        (403, "GatedRepo", "is gated", "hf auth login"),
        (503, "", "the hub answered 503", "try again later"),
    ],
)
def test_the_hubs_refusals(fake: FakeHub, tmp_path: Path, status: int, code: str, what: str, remedy: str) -> None:
    """Missing, private, gated, out of order: one sentence and a remedy each."""
    fake.errors = {"/revision/main": (status, code)}
    error = refusal(lambda: load(fake, tmp_path))
    assert what in error.what
    assert remedy in error.remedy


def test_a_gated_file_behind_an_open_listing(fake: FakeHub, tmp_path: Path) -> None:
    """As the hub does it: anyone may look, but not load."""
    fake.errors = {PICKLE: (403, "GatedRepo")}
    error = refusal(lambda: load(fake, tmp_path))
    assert "is gated" in error.what
    assert "https://huggingface.co/datasets/withmartian/routerbench" in error.remedy


def test_a_file_that_vanished(fake: FakeHub, tmp_path: Path) -> None:
    """Listed, but not served."""
    fake.errors = {PICKLE: (404, "EntryNotFound")}
    assert "is not on the hub" in refusal(lambda: load(fake, tmp_path)).what


def test_a_set_without_its_files(fake: FakeHub, tmp_path: Path) -> None:
    """The repository is there, what we need of it is not."""
    fake.repos["withmartian/routerbench"] = {"README.md": b"moved"}
    assert f"no file like {PICKLE}" in refusal(lambda: load(fake, tmp_path)).what


def test_no_network(tmp_path: Path) -> None:
    """A closed port is no network: said at once, with what to check."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refusal(lambda: load(FakeHub(address=f"http://127.0.0.1:{port}"), tmp_path))
    assert "no network" in error.what
    assert "--offline" in error.remedy
    assert error.place == f"http://127.0.0.1:{port}"


def test_a_cache_that_cannot_be_written(fake: FakeHub, tmp_path: Path) -> None:
    """The folder is named, and another one asked for."""
    (tmp_path / "cache").write_text("a file")
    assert "--cache" in refusal(lambda: load(fake, tmp_path / "cache")).remedy


# --- offline --------------------------------------------------------------------------------------------------------


def test_offline_is_the_cache_alone(fake: FakeHub, tmp_path: Path) -> None:
    """After one run the same call works without a single request."""
    wanted = load(fake, tmp_path)
    fake.seen = []
    assert load(fake, tmp_path, offline=True) == wanted
    assert fake.seen == []


def test_the_librarys_own_switch_is_obeyed(fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE means what --offline means."""
    wanted = load(fake, tmp_path)
    fake.seen = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load(fake, tmp_path) == wanted
    assert fake.seen == []


def test_offline_with_an_empty_or_half_full_cache(fake: FakeHub, tmp_path: Path) -> None:
    """Never fetched, or fetched in part: said so, with the way out."""
    assert "not in the cache" in refusal(lambda: load(fake, tmp_path, offline=True)).what
    fake.errors = {PICKLE: (500, "")}
    refusal(lambda: load(fake, tmp_path))
    error = refusal(lambda: load(fake, tmp_path, offline=True))
    assert f"`{PICKLE}` is not in the cache" in error.what
    assert "without --offline" in error.remedy


def test_a_commit_needs_no_second_listing(fake: FakeHub, tmp_path: Path) -> None:
    """What is pinned to a commit cannot change: once in the cache, the hub is not asked again."""
    source = replace(unpinned(catalog.ROUTERBENCH), revision=COMMIT)
    load(fake, tmp_path, source)
    fake.seen = []
    assert load(fake, tmp_path, source)
    assert fake.seen == []


# --- from the hub to outcomes ---------------------------------------------------------------------------------------


def everything(fake: FakeHub) -> None:
    fake.repos |= {
        "CARROT-LLM-Routing/SPROUT": sprout(),
        "CARROT-LLM-Routing/SPROUT-o3mini": sprout(("openai-gpt-4o", "openai-o3-mini")),
        "RZ412/EmbedLLM": embedllm(),
        "NPULH/LLMRouterBench": llmrouterbench(),
    }
    fake.repos |= {repo: leaderboard(model) for model, repo in enumerate(catalog.OPEN_LLM_LEADERBOARD.repos[:3])}


@pytest.mark.parametrize(
    ("name", "queries", "models"),
    [
        ("routerbench", 4, 2),
        ("sprout", 5, 2),
        ("sprout-o3mini", 5, 2),
        ("open-llm-leaderboard", 6, 3),
        ("embedllm", 3, 3),
        ("llmrouterbench", 2, 2),
    ],
)
def test_every_source_from_the_hub_to_a_folder(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, queries: int, models: int
) -> None:
    """Downloaded, verified, converted, written; offline the same again, with --force in the same place."""
    everything(fake)
    monkeypatch.setitem(catalog.SOURCES, name, unpinned(catalog.SOURCES[name]))
    folder = tmp_path / "sets" / name
    report = fetch(name, folder, Hub(tmp_path / "cache", endpoint=fake.address))
    assert (report.queries, report.models) == (queries, models)
    found = read(folder)
    assert (len(found), len(found.models)) == (queries, models)
    about = read_about(folder)
    assert about.title == catalog.SOURCES[name].title
    assert about.licence == catalog.SOURCES[name].licence
    assert catalog.SOURCES[name].notes in about.notes
    again = fetch(name, folder, Hub(tmp_path / "cache", offline=True), overwrite=True)
    assert again == report


def test_a_taken_folder_is_found_before_anything_is_loaded(fake: FakeHub, tmp_path: Path) -> None:
    """No gigabytes for nothing."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x").touch()
    assert "not empty" in refusal(lambda: fetch("sprout", tmp_path / "set", Hub(tmp_path, endpoint=fake.address))).what
    assert fake.seen == []


def test_a_pickle_that_is_no_table_leaves_no_folder(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a checksum that fits it is not run, and nothing is half-written."""
    fake.repos["withmartian/routerbench"] = {PICKLE: b"cos\nsystem\n(S'true'\ntR."}
    monkeypatch.setitem(catalog.SOURCES, "routerbench", unpinned(catalog.ROUTERBENCH))
    error = refusal(lambda: fetch("routerbench", tmp_path / "set", Hub(tmp_path / "c", endpoint=fake.address)))
    assert "is not a pickled table" in error.what
    assert not (tmp_path / "set").exists()


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`data fetch` takes the hub's address from HF_ENDPOINT and puts the set into the cache unless told otherwise."""
    monkeypatch.setitem(catalog.SOURCES, "routerbench", unpinned(catalog.ROUTERBENCH))
    monkeypatch.setenv("HF_ENDPOINT", fake.address)
    run = CliRunner().invoke(data.app, ["fetch", "routerbench", "--cache", str(tmp_path), "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert said["folder"] == str(tmp_path / "sets" / "routerbench")
    assert (said["queries"], said["models"], said["missing_cells"], said["files"]) == (4, 2, 1, 1)
    assert len(read(Path(said["folder"]))) == 4
    offline = ["fetch", "routerbench", "--cache", str(tmp_path), "--offline", "--to", str(tmp_path / "here")]
    run = CliRunner().invoke(data.app, offline)
    assert run.exit_code == 0, run.output
    assert "RouterBench 0-shot: 4 queries x 2 models" in run.stdout
    assert "licence: none stated" in run.stdout
    assert isinstance(CliRunner().invoke(data.app, offline).exception, InputError)
