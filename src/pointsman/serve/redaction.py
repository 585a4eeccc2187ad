"""Keeps secrets out of a line that is about to be written: known ones wherever they stand, others by how they look.

Works on the finished line, after everything has been put into it, so that no path round it exists. It knows secrets in
the forms that they take on the way: as they are, in a Python representation, in JSON, and in an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import orjson

HIDDEN = b"[redacted]"
SHORTEST = 4  # a shorter "secret" would blank out ordinary text

# How keys of known providers look, our own among them, and what follows a scheme of authentication. `MARKS` finds how
# they begin, from the rarest letter of each: most lines hold none and are let through after one quick search.
MARKS = re.compile(
    rb"-(?:(?<=sk-)|(?<=xai-)|(?<=pplx-))|_(?:(?<=gsk_)|(?<=hf_)|(?<=r8_)|(?<=tgp_)|(?<=ghp_))|A(?:Iza|KIA)"
)
TOKEN_MARK = b".eyJ"
LOOKS = re.compile(
    rb"\b(?:sk-|gsk_|xai-|pplx-|hf_|r8_|tgp_|ghp_)[A-Za-z0-9_\-]{8,}"
    rb"|\bAIza[A-Za-z0-9_\-]{20,}|\bAKIA[A-Z0-9]{16}|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-.]+"
)
SCHEME = re.compile(rb"(?i)\b(bearer|basic)(\s+|%20|\+)(?!\[redacted)[^\s\"',;\\]+")


class Redactor:
    """Hides secrets in bytes.

    Args:
        secrets: those that are known: the master key, the upstreams' keys. None of fewer than 4 characters.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.set_secrets(secrets)

    def set_secrets(self, secrets: Iterable[str]) -> None:
        """Others from now on, after a reload."""
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in forms_of(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, line: bytes) -> bytes:
        """The line, with every secret replaced by `[redacted]`."""
        for form in self._forms:
            if form in line:
                line = line.replace(form, HIDDEN)
        if MARKS.search(line) is not None or TOKEN_MARK in line:
            line = LOOKS.sub(HIDDEN, line)
        lowered = line.lower()
        if b"bearer" in lowered or b"basic" in lowered:
            line = SCHEME.sub(rb"\1\2" + HIDDEN, line)
        return line


def forms_of(secret: str) -> set[bytes]:
    """How a secret's text may stand in a line: plain or represented, in an address, and each of these in JSON."""
    plain = {secret, repr(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}
    texts = plain | {orjson.dumps(text).decode()[1:-1] for text in plain}
    return {text.encode() for text in texts}
