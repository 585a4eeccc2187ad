"""Frames over pipes, and questions over them: the one wire between the processes of a cell.

A frame is four bytes of length and that many of JSON. Each side may ask the other, also while it's being asked: a
test calls the code, the code calls back a function that the test gave it. Frames above a limit are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

MOST_BYTES = 8 * 2**20
MOST_IN_TURN = 200

Message = dict[str, Any]


class Ended(BaseException):
    """The other side is gone. No `except Exception` of a test catches it."""


def read_exactly(file: int, size: int) -> bytes:
    """That many bytes.

    Raises:
        Ended: there are fewer.
    """
    parts = []
    while size > 0:
        part = os.read(file, min(size, 2**20))
        if not part:
            raise Ended
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(file: int) -> bytes:
    """One frame's content.

    Raises:
        Ended: the other side closed, or sent more than a frame may hold.
    """
    size = int.from_bytes(read_exactly(file, 4), "big")
    if size > MOST_BYTES:
        raise Ended
    return read_exactly(file, size)


def write_frame(file: int, content: bytes) -> None:
    """Sends one frame.

    Raises:
        Ended: the other side closed.
        ValueError: more than a frame may hold.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content)} bytes are too much for one value")
    left = memoryview(len(content).to_bytes(4, "big") + content)
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        raise Ended from None


class Channel:
    """One side of a conversation of questions and answers."""

    def __init__(self, reading: int, writing: int, answer: Callable[[Message], Message]) -> None:
        self.reading, self.writing, self.answer = reading, writing, answer
        self.ended = False
        self.depth = 0

    def ask(self, question: Message) -> Message:
        """Sends a question, and answers those that come back before its answer does.

        Raises:
            Ended: the other side is gone.
            RecursionError: the two sides ask each other without an end.
        """
        if self.depth > MOST_IN_TURN:
            raise RecursionError("the tests and the code call each other too deeply")
        self.depth += 1
        try:
            self.send(question)
            while "do" in (found := self.receive()):
                self.send(self.answer(found))
        finally:
            self.depth -= 1
        return found

    def send(self, message: Message) -> None:
        """Sends one message."""
        if self.ended:
            raise Ended
        write_frame(self.writing, json.dumps(message).encode())

    def receive(self) -> Message:
        """The next message.

        Raises:
            Ended: there is none, or it's no message; from then on the conversation is over.
        """
        try:
            if not self.ended:
                found = json.loads(read_frame(self.reading))
                if isinstance(found, dict):
                    return found
        except (Ended, ValueError, RecursionError, OSError):
            pass
        self.ended = True
        raise Ended

    def serve(self) -> None:
        """Answers questions until the other side is gone."""
        while True:
            self.send(self.answer(self.receive()))
