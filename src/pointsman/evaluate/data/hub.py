"""Downloads from the Hugging Face hub which can be cut off, continued, checked and used offline.

The hub's library lists a repository and carries the bytes; its own cache throws a half-loaded file away, so files go
into a cache of ours instead: `<cache>/downloads/<repository>/<commit>/<path>`, loaded as `<path>.part`, continued
where it stopped, and renamed only when size and checksum are right. The listing is kept beside them, so that the same
call works without a network afterwards. Takes a `Source`; gives verified local files. Refuses files whose checksum is
not the one that is pinned or that the hub states.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, get_session  # type: ignore[attr-defined]

from pointsman.errors import InputError
from pointsman.evaluate.data.catalog import Downloaded, Source

LISTING = "listing.json"
BUFFER_BYTES = 2**20
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Hub:
    """Where to download from and where to keep it.

    Attributes:
        cache: our cache folder.
        offline: use the cache alone.
        endpoint: the hub's address; None means HF_ENDPOINT, or huggingface.co.
    """

    cache: Path
    offline: bool = False
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class _Remote:
    """One file as the hub lists it: `sha256` where it is a large file, `blob` its git object id."""

    path: str
    size: int | None
    sha256: str | None
    blob: str | None


def download(source: Source, hub: Hub) -> list[Downloaded]:
    """Every file of the source, verified, in the order of its repositories and their paths.

    Raises:
        InputError: no network, not found, gated, a checksum that differs, or offline and not in the cache.
    """
    return [
        Downloaded(repo, remote.path, _local(repo, commit, remote, source, hub))
        for repo in source.repos
        for commit, remotes in [_listing(repo, source, hub)]
        for remote in remotes
    ]


def _listing(repo: str, source: Source, hub: Hub) -> tuple[str, list[_Remote]]:
    """The commit and the files that are needed; from the cache where offline."""
    folder = hub.cache / "downloads" / repo.replace("/", "--")
    kept = folder / f"{source.revision.replace('/', '--')}.{LISTING}"
    if _is_offline(hub) or (kept.exists() and COMMIT.fullmatch(source.revision)):  # a commit never changes
        listed = _cached_listing(kept, repo)
    else:
        listed = _hub_listing(kept, repo, source, hub)
    remotes = [_Remote(**entry) for entry in listed["files"]]
    if not remotes:
        raise InputError(
            f"holds no file like {' or '.join(source.files)}",
            place=_page(repo),
            remedy="the set has been moved or changed; see its page",
        )
    return listed["commit"], remotes


def _is_offline(hub: Hub) -> bool:
    return hub.offline or bool(constants.HF_HUB_OFFLINE)


def _hub_listing(kept: Path, repo: str, source: Source, hub: Hub) -> dict[str, Any]:
    with _clear_errors(repo, hub):
        info = HfApi(endpoint=hub.endpoint).dataset_info(repo, revision=source.revision, files_metadata=True)
    files = [
        _Remote(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)
        for file in sorted(info.siblings or [], key=lambda file: file.rfilename)
        if any(fnmatch.fnmatch(file.rfilename, pattern) for pattern in source.files)
    ]
    listed = {"commit": str(info.sha), "files": [asdict(file) for file in files]}
    _write_aside(kept, json.dumps(listed))
    return listed


def _cached_listing(kept: Path, repo: str) -> dict[str, Any]:
    try:
        listed: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "is not in the cache, and the network may not be used", place=repo, remedy="run once without --offline"
        ) from error
    return listed


def _write_aside(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", place=str(path.parent), remedy="give another folder with --cache"
        ) from error
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def _local(repo: str, commit: str, remote: _Remote, source: Source, hub: Hub) -> Path:
    """The file in the cache; loaded, or continued, where it is not there yet."""
    root = hub.cache / "downloads" / repo.replace("/", "--") / commit
    path = root / remote.path
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"lists a file outside its folder, `{remote.path}`", place=_page(repo), remedy="do not use it")
    if path.exists() and remote.size in (None, path.stat().st_size):
        return path
    if _is_offline(hub):
        raise InputError(
            f"`{remote.path}` is not in the cache, and the network may not be used",
            place=repo,
            remedy="run once without --offline",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    _load(repo, commit, remote, part, hub)
    _verify(part, remote, source.sha256.get(remote.path), repo)
    part.replace(path)
    return path


def _load(repo: str, commit: str, remote: _Remote, part: Path, hub: Hub) -> None:
    """Brings `part` to full size, from wherever it stopped before."""
    if remote.size is not None and part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    url = hf_hub_url(repo, remote.path, repo_type="dataset", revision=commit, endpoint=hub.endpoint)
    with _clear_errors(repo, hub), part.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers=build_hf_headers(),
            expected_size=remote.size,
            displayed_filename=remote.path,
        )
        file.flush()
        os.fsync(file.fileno())


def _verify(part: Path, remote: _Remote, pinned: str | None, repo: str) -> None:
    """Compares with the pinned SHA-256, the hub's SHA-256, or for a small file its git object id."""
    size = part.stat().st_size
    digest = _digest(part, hashlib.sha256())
    blob = _digest(part, hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False))
    expected = [(digest, wanted) for wanted in (pinned, remote.sha256) if wanted]
    if not expected and remote.blob:
        expected = [(blob, remote.blob)]
    wrong = next(((got, wanted) for got, wanted in expected if got != wanted), None)
    if wrong or remote.size not in (None, size):
        part.unlink()
        what = f"has checksum {wrong[0][:12]}…, expected {wrong[1][:12]}…" if wrong else f"has {size} bytes"
        raise InputError(
            f"`{remote.path}` {what}; it was thrown away",
            place=_page(repo),
            remedy="fetch it again; if this repeats, the published file has changed and is not to be trusted",
        )


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while chunk := file.read(BUFFER_BYTES):
            digest.update(chunk)
    return str(digest.hexdigest())


def _page(repo: str) -> str:
    return f"https://huggingface.co/datasets/{repo}"


@contextmanager
def _clear_errors(repo: str, hub: Hub) -> Iterator[None]:
    """The hub library's errors as one sentence with a remedy."""
    try:
        yield
    except GatedRepoError as error:
        remedy = f"accept its terms at {_page(repo)}, then log in with `hf auth login` or set HF_TOKEN"
        raise InputError("is gated: its authors want to know who uses it", place=repo, remedy=remedy) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise InputError(
            "is not on the hub, or not for you to see",
            place=_page(repo),
            remedy="look whether it has moved; if it is private, log in with `hf auth login`",
        ) from error
    except HfHubHTTPError as error:
        raise InputError(
            f"the hub answered {error.response.status_code}",
            place=_page(repo),
            remedy="try again later; what is loaded so far is kept and continued",
        ) from error
    except _network_errors() as error:
        raise InputError(
            "no network, or the hub is unreachable",
            place=hub.endpoint or constants.ENDPOINT,
            remedy="check the connection, HF_ENDPOINT and proxy settings and run again: it continues where it "
            "stopped; with --offline only the cache is used",
        ) from error
    except OSError as error:
        raise InputError(
            "came incomplete, or cannot be stored",
            place=repo,
            remedy=f"check free space and rights in {hub.cache} and run again: it continues where it stopped",
        ) from error


def _network_errors() -> tuple[type[Exception], ...]:
    """What the hub library's HTTP client raises: its releases use different clients (httpx, httpx2)."""
    client = sys.modules[type(get_session()).__module__.partition(".")[0]]
    return (OfflineModeIsEnabled, client.HTTPError)
