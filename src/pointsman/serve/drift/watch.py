"""The drift watch: what was estimated against what came, read from the journal in the order of its numbers.

One worker, the first, looks every few seconds, in a thread beside the loop; so feedback may reach any worker, and a
query waits for nothing. Each served exchange gives a value to the streams of its model (`estimate.drift.streams`) and
to the traffic's mix, each first feedback one to the model's score. Takes the journal and the scheme in force; gives
alarms. Where it stands is kept in a file, written aside and renamed, and the lots that break ties come from the
decisions' ids: read again after a crash, the same rows raise the same alarms, and none is raised twice.

    score     feedback − estimated quality (the feedback alone for a model that only has a prior, which follows it)
    cost      log of what the upstream says it charged, over our bill; where it says nothing, of our bill over what the
              tokens cost at the plain rates
    length    log of the answer's tokens over the expected ones
    mix       which part of the traffic's partition the prompt falls into
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.drift.mix import Mix
from pointsman.estimate.drift.streams import KINDS, Ring, Streams
from pointsman.serve.drift.alarms import Alarm
from pointsman.serve.journal_file import open_journal, read_body
from pointsman.serve.recorder import ONBOARDING
from pointsman.serve.scheme import NANO, Scheme

FILE = "watch.npz"
ROWS = 250  # exchanges, and feedbacks, that one look takes in: each takes some 80 µs from the queries of its worker
FARTHEST_BEHIND = 1_000  # rows; with more to catch up with, a look takes every so-manieth of them, and
SAMPLED = 50  # at most so many: which ones depends on nothing but counts, and a busy worker has other things to do
SAVE_S = 60.0
MOVED = 0.02  # mean estimated quality of a model: a fit that moves it by more is another reference
MOVED_LENGTH = 0.1  # the same for its mean expected length, relative
PRIOR_SCORE, PRIOR_TOKENS = 0.5, 400.0  # what values are taken against where only a prior is known
TRAFFIC = "traffic"
OF_A_MODEL = ("score", "cost", "length")
PARTS_SHOWN = 5

EXCHANGES = "select number, at_ns, body from exchanges where number > ? and number % ? = 0 order by number limit ?"
SCORES = """
select feedback.number, feedback.score, exchanges.at_ns, exchanges.body
from feedback left join exchanges using (decision_id)
where feedback.number > ? and feedback.number % ? = 0 order by feedback.number limit ?
"""
LAST = "select coalesce(max(number), 0) from exchanges"
LAST_SCORE = "select coalesce(max(number), 0) from feedback"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Look:
    """What one look came to: alarms, and rows that were read."""

    alarms: list[Alarm]
    rows: int


class Watch:
    """See the module. Not for several threads at once.

    Args:
        state: the gateway's state folder.
        models: ids in the registry.
        now_s: the clock, Unix seconds.
    """

    def __init__(self, state: Path, models: tuple[str, ...], now_s: Callable[[], float] = time.time) -> None:
        self._path, self._now_s = state / FILE, now_s
        self._db = open_journal(state / "decisions.sqlite")
        self._streams = {kind: Streams(KINDS[kind], models) for kind in OF_A_MODEL}
        self._streams["mix"] = Streams(KINDS["mix"], (TRAFFIC,))
        self._models = models
        self._exchange = self._feedback = 0
        self._references: dict[str, str] = {}  # what each stream's values are taken against
        self._saved_s = now_s()
        self._load()

    def look(self, scheme: Scheme) -> Look:
        """Takes in what has come since the last look, at most `ROWS` exchanges and as many feedbacks.

        Raises:
            sqlite3.Error: the journal can't be read; nothing is taken in then.
        """
        self._refer(scheme)
        (last,), (last_score,) = (self._db.execute(asked).fetchone() for asked in (LAST, LAST_SCORE))
        # Rows swept are gone, and where all are, numbers begin anew.
        self._exchange = self._exchange if self._exchange <= last else 0
        self._feedback = self._feedback if self._feedback <= last_score else 0
        every, every_score = _thinned(last - self._exchange), _thinned(last_score - self._feedback)
        exchanges = self._db.execute(EXCHANGES, (self._exchange, every, ROWS)).fetchall()
        scores = self._db.execute(SCORES, (self._feedback, every_score, ROWS)).fetchall()
        alarms: list[Alarm] = []
        for row in exchanges:
            alarms += self._exchanged(scheme, *row)
            time.sleep(0)  # the event loop waits for no more than a row
        for row in scores:
            alarms += self._scored(scheme, *row)
            time.sleep(0)
        if len(exchanges) < ROWS:
            self._exchange = last
        if len(scores) < ROWS:
            self._feedback = last_score
        if alarms or self._now_s() - self._saved_s > SAVE_S:
            self.save()
        return Look(alarms, len(exchanges) + len(scores))

    def close(self) -> None:
        """Keeps where it stands."""
        self.save()
        self._db.close()

    # Rows

    def _exchanged(self, scheme: Scheme, number: int, at_ns: int, body: bytes) -> Iterator[Alarm]:
        self._exchange = number
        told = _Told.of(read_body(body), scheme)
        if told is None:
            return
        values = {"cost": told.cost(scheme), "length": told.length()}
        for kind, value in values.items():
            if value is not None:
                yield from self._see(kind, told.model, value, at_ns / NANO, told.decision_id, scheme)
        mirrored = not scheme.serving[scheme.column[told.model]]  # the query counts where it was served
        if told.part is not None and scheme.mix is not None and not mirrored:
            yield from self._see("mix", TRAFFIC, float(told.part), at_ns / NANO, told.decision_id, scheme)

    def _scored(self, scheme: Scheme, number: int, score: float, at_ns: int, body: bytes | None) -> Iterator[Alarm]:
        self._feedback = number
        told = None if body is None else _Told.of(read_body(body), scheme)  # None: its exchange is no longer kept
        if told is not None:
            value = score - (PRIOR_SCORE if told.quality is None else min(max(told.quality, 0.0), 1.0))
            yield from self._see("score", told.model, value, at_ns / NANO, told.decision_id, scheme)

    def _see(
        self, kind: str, stream: str, value: float, at_s: float, decision_id: str, scheme: Scheme
    ) -> Iterator[Alarm]:
        streams = self._streams[kind]
        place = streams.place.get(stream)
        if place is None:
            return
        lot = _lot(decision_id, kind)
        for ring in streams.see(np.array([place]), np.array([value]), np.array([at_s]), np.array([lot])):
            yield _alarm(kind, ring, decision_id, self._now_s(), scheme.mix)

    # References

    def _refer(self, scheme: Scheme) -> None:
        """Begins streams anew whose values are taken against something else than before."""
        models = tuple(model.id for model in scheme.models)
        if models != self._models:
            self._rename(models)
        for stream, kind, reference in _references(scheme):
            name = f"{kind} {stream}"
            before = self._references.get(name)
            if before is not None and not _moved(kind, before, reference):
                continue
            self._references[name] = reference
            counts = scheme.mix.counts if kind == "mix" and scheme.mix is not None else None
            if before is not None or counts is not None:
                self._streams[kind].refer(stream, None if counts is None else _padded(counts))

    def _rename(self, models: tuple[str, ...]) -> None:
        """Other models are in the registry; those that stay go on."""
        for kind in OF_A_MODEL:
            before, self._streams[kind] = self._streams[kind], Streams(KINDS[kind], models)
            self._streams[kind].take_over(before.state())
        self._models = models
        known = {*models, TRAFFIC}
        self._references = {name: one for name, one in self._references.items() if name.partition(" ")[2] in known}

    # Kept over restarts

    def save(self) -> None:
        """Writes where it stands; a failure is said and tried again."""
        arrays = {f"{kind}.{name}": array for kind, one in self._streams.items() for name, array in one.state().items()}
        arrays["numbers"] = np.array([self._exchange, self._feedback], np.int64)
        arrays["references"] = np.array([list(pair) for pair in self._references.items()], np.str_).reshape(-1, 2)
        aside = self._path.with_name(f".{FILE}.{os.getpid()}")
        self._saved_s = self._now_s()
        try:
            with aside.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            aside.rename(self._path)
        except OSError as error:
            log.warning("where the drift watch stands can't be kept: %s", error)

    def _load(self) -> None:
        """Goes on where it stood; begins anew where that can't be read."""
        try:
            with closing(np.load(self._path, allow_pickle=False)) as kept:
                for kind, one in self._streams.items():
                    one.take_over({name.partition(".")[2]: kept[name] for name in kept if name.startswith(f"{kind}.")})
                self._exchange, self._feedback = (int(number) for number in kept["numbers"])
                self._references = {str(name): str(one) for name, one in kept["references"]}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, InputError) as error:
            log.warning("the drift watch begins anew, its file can't be used: %s", error)


def _thinned(behind: int) -> int:
    """Every how-manieth row is taken in: each one, unless more have come than can be caught up with."""
    return 1 if behind <= FARTHEST_BEHIND else math.ceil(behind / SAMPLED)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the journal has of a served exchange.

    Attributes:
        quality, tokens: estimates for the model that answered; None where only a prior is known.
        bill_usd: by our rates; reported_usd: by the upstream itself, None where it said nothing.
    """

    decision_id: str
    model: str
    quality: float | None
    tokens: float | None
    input_tokens: int
    output_tokens: int
    counted: bool
    bill_usd: float
    reported_usd: float | None
    part: int | None

    @classmethod
    def of(cls, body: Mapping[str, Any], scheme: Scheme) -> _Told | None:
        """None for what says nothing of a model: refused, cut short, probes, embeddings, a model that is gone."""
        usage, model, hops = body.get("usage"), body.get("model"), body.get("hops")
        served = body.get("outcome") == "served" and body.get("shape") != "embeddings"
        if not served or not usage or not hops or str(body.get("key_id", "")).startswith(ONBOARDING):
            return None
        column = scheme.column.get(str(model))
        if column is None:
            return None
        mine = next((one for one in body.get("candidates") or () if one["model"] == model), None)
        known = mine is not None and scheme.known[column]
        return cls(
            str(body["decision_id"]),
            str(model),
            _number(mine["quality"]) if known and mine else None,
            _number(mine["tokens"]) if known and mine else None,
            int(usage["input_tokens"]),
            int(usage["output_tokens"]),
            bool(usage["estimated"]),
            int(hops[-1]["cost_nano"]) / NANO,
            _number(usage.get("reported_usd")),
            body.get("part"),
        )

    def cost(self, scheme: Scheme) -> float | None:
        """Log of the real cost over the expected one, at the tokens of the answer."""
        if self.reported_usd is not None:
            return _log_ratio(self.reported_usd, self.bill_usd)
        i, costs = scheme.column[self.model], scheme.costs
        plain = self.input_tokens * costs.input[i] + self.output_tokens * costs.output[i] + costs.request[i]
        return None if self.counted else _log_ratio(self.bill_usd, float(plain))

    def length(self) -> float | None:
        """Log of the answer's length over the expected one."""
        if self.counted:
            return None
        expected = PRIOR_TOKENS if self.tokens is None else max(0.0, self.tokens - self.input_tokens)
        return math.log((self.output_tokens + 1.0) / (expected + 1.0))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _log_ratio(real: float, expected: float) -> float | None:
    """None for what is free, or nearly: nothing can be said of its rate."""
    return math.log(real / expected) if real > 0.0 and expected > 0.0 else None


def _lot(decision_id: str, kind: str) -> float:
    """Uniform in [0, 1), the same for the same exchange."""
    digest = blake2b(f"{kind} {decision_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * (1.0 - 2**-52)


def _padded(counts: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Counts of all the parts that a partition may have."""
    return np.concatenate([counts, np.zeros(KINDS["mix"].bins - len(counts), np.int64)])


def _references(scheme: Scheme) -> Iterator[tuple[str, str, str]]:
    """(stream, kind, what its values are taken against), as texts that can be kept."""
    quality = scheme.typical.quality.mean(axis=0)
    tokens = scheme.typical.tokens.mean(axis=0)
    for i, model in enumerate(scheme.models):
        known = bool(scheme.known[i])
        yield model.id, "score", f"{quality[i]:.6f}" if known else "prior"
        yield model.id, "length", f"{tokens[i]:.6f}" if known else "prior"
        yield model.id, "cost", blake2b(repr(scheme.rates[i]).encode(), digest_size=8).hexdigest()
    if scheme.mix is not None:
        yield TRAFFIC, "mix", blake2b(scheme.mix.centres.tobytes(), digest_size=8).hexdigest()


def _moved(kind: str, before: str, after: str) -> bool:
    """Whether a reference is another one. A new fit that says nearly the same is the same."""
    if "prior" in (before, after) or kind in ("cost", "mix"):
        return before != after
    one, other = float(before), float(after)
    return abs(other - one) > (MOVED if kind == "score" else MOVED_LENGTH * max(one, 1.0))


def _alarm(kind: str, ring: Ring, decision_id: str, now_s: float, mix: Mix | None) -> Alarm:
    change = ring.change
    figures = (change.before, change.after, change.low, change.high)
    if kind in ("cost", "length"):
        figures = tuple(math.exp(min(max(figure, -50.0), 50.0)) for figure in figures)  # type: ignore[assignment]
    before, after, low, high = figures
    return Alarm(
        id=f"{kind}-{decision_id.removeprefix('dec_')}",
        kind=kind,  # type: ignore[arg-type]
        model="" if kind == "mix" else ring.stream,
        at_s=now_s,
        since_s=ring.since_s,
        before=before,
        after=after,
        low=low,
        high=high,
        count_before=change.count_before,
        count_after=change.count_after,
        evidence=ring.evidence,
        parts=_grown(ring, mix) if kind == "mix" else (),
    )


def _grown(ring: Ring, mix: Mix | None) -> tuple[tuple[int, float, float, str], ...]:
    """The parts that grew most."""
    before, after = ring.shares
    order = np.argsort(before - after, kind="stable")[:PARTS_SHOWN]
    names = () if mix is None else mix.names
    return tuple(
        (int(i), float(before[i]), float(after[i]), names[i] if i < len(names) else "")
        for i in order
        if after[i] > before[i]
    )
