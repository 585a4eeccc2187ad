"""The partition of the traffic that its mix is watched by: made once, from the first history, and kept in the state.

Takes recorded outcomes and an embedder, in the process that fits; gives a `Mix` to the workers. It is not made anew at
each fit, since parts that change their meaning can't be compared. `state/topics.npz` holds centres, counts and names of
data sets, no text. Remove the file to have another one made at the next fit.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path

import numpy as np

from pointsman.estimate.drift.mix import ROWS, Mix, fit_mix
from pointsman.estimate.embedder import Embedder
from pointsman.outcomes.exporting import PROBE
from pointsman.records import Outcomes

FILE = "topics.npz"
LEAST_ROWS = 200
LIVE = "live"  # what the gateway's own outcomes have for a data set: no topic

log = logging.getLogger(__name__)


def keep_topics(state: Path, outcomes: Outcomes, embedder_name: str, embedder: Embedder) -> None:
    """Makes the partition where there is none for this embedder and rows enough. Written aside, renamed.

    Answers to probes are left out: nobody sends probes, so a part that holds them would always be missing.
    """
    of_traffic = np.flatnonzero([not name.startswith(PROBE) for name in outcomes.datasets])
    if len(of_traffic) < LEAST_ROWS or load_topics(state, embedder_name) is not None:
        return
    rows = np.sort(np.random.default_rng(0).permutation(of_traffic)[:ROWS]).tolist()
    datasets = ["" if outcomes.datasets[i] == LIVE else outcomes.datasets[i] for i in rows]
    mix = fit_mix(embedder.embed([outcomes.texts[i] for i in rows]), datasets)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = state / f".{FILE}.{os.getpid()}"
    with aside.open("wb") as file:
        np.savez(
            file,
            centres=mix.centres,
            counts=mix.counts,
            names=np.array(mix.names, np.str_),
            embedder=np.array(embedder_name, np.str_),
        )
    aside.rename(state / FILE)


def load_topics(state: Path, embedder_name: str) -> Mix | None:
    """The partition; None where there is none, or it is another embedder's."""
    try:
        with closing(np.load(state / FILE, allow_pickle=False)) as kept:
            if str(kept["embedder"]) != embedder_name:
                return None
            return Mix(kept["centres"], kept["counts"], tuple(kept["names"].tolist()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        log.warning("the partition of the traffic can't be used, another one is made: %s", error)
        return None
