"""Made-up deferral benches that several tests read: a meta, trial rows, whole rows, an atlas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pointsman.evaluate.deferral.atlas import Atlas, Cluster
from pointsman.evaluate.deferral.records import DeferralMeta, DeferralRows, TrialRow
from pointsman.evaluate.deferral.roster import ROSTER

ALL = tuple(entry.name for entry in ROSTER)
# Made-up gains in area over zero, so that tables and pictures have something to rank.
GAINS = {
    "pareto-random": -0.006,
    "knn": 0.002,
    "kmeans": -0.01,
    "learned-map": -0.004,
    "attributes": 0.003,
    "mlp-retrained": -0.02,
    "matfac-retrained": 0.004,
    "transfer": 0.011,
    "transfer-consensus": 0.008,
    "mlp-clairvoyant": 0.016,
    "matfac-clairvoyant": 0.014,
    "oracle": 0.25,
}
SURE = ("transfer", "transfer-consensus")


def make_deferral_meta(models: int = 9, *, simulated: bool = True, dataset: str = "made-up set") -> DeferralMeta:
    """What a small made-up bench is about."""
    ids = tuple(f"maker-{number % 3}/model-{number}" for number in range(models))
    known = round(2 * models / 3)
    left_out = "1 of 10 models and 12 of 2,012 rows were left out for missing cells."
    command = "pointsman bench deferral"
    return DeferralMeta(
        dataset, simulated, ids, 2000, known, models - known, False, False, "constant", left_out, command, 0, "0.1.0"
    )


def make_trial(method: str, trial: int, probes: int = 64, probing: str = "random", **changes: object) -> TrialRow:
    """One row with a plausible curve, the same for the same arguments; `changes` are laid over it at the end."""
    pool = np.random.default_rng([trial, 0]).normal(0, 0.04)
    own = np.random.default_rng([trial, probes, len(method), *method.encode(), len(probing)]).normal(0, 0.004)
    gain = GAINS.get(method, 0.0) * (1 + 0.1 * np.log(probes or 1)) + (own if method != "zero" else 0.0)
    x = np.linspace(0, 1, 101)
    rise = 1 - np.exp(-6 * x)
    y = np.clip(0.35 + pool + (0.3 + 1.2 * gain) * rise, 0, 1)
    intervals = 30 if method in SURE else 0
    row = TrialRow(
        key=f"{method}|p{probes}|{probing}|t{trial}",
        trial=trial,
        method=method,
        probes=probes,
        probing=probing,
        area=float(np.trapezoid(y, x)),
        area50=float(2 * np.trapezoid(y[:51], x[:51])),
        qnc=0.9,
        peak=float(y.max()),
        seconds=0.25,
        relative_cost=tuple(x.tolist()),
        quality=tuple(y.tolist()),
        intervals=intervals,
        covered=intervals - (trial % 3 + 2) if intervals else 0,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def make_deferral_rows(
    meta: DeferralMeta,
    *,
    methods: tuple[str, ...] = ALL,
    trials: int = 4,
    probes: tuple[int, ...] = (64,),
    picked: tuple[str, ...] = (),
) -> DeferralRows:
    """A whole made-up bench; the methods in `picked` also with picked probes."""
    found = [make_trial(name, trial, count) for trial in range(trials) for count in probes for name in methods]
    found += [
        make_trial(name, trial, count, "picked") for trial in range(trials) for count in probes for name in picked
    ]
    return DeferralRows(meta, tuple(found))


def make_made_up_atlas(models: tuple[str, ...], words: tuple[tuple[str, ...], ...]) -> Atlas:
    """An atlas of these models, with one cluster a tuple of words; model 0 has no score in the last cluster."""
    rng = np.random.default_rng(0)
    shape = (len(models), len(words))
    means = rng.uniform(0.3, 0.8, len(models))
    score = np.clip(means[:, None] + rng.normal(0, 0.1, shape), 0, 1)
    score[0, -1] = np.nan
    clusters = tuple(Cluster(one, 400 - 10 * place) for place, one in enumerate(words))
    places = rng.normal(0, 0.1, (len(models), 2))
    return Atlas(models, clusters, means, score, np.full(shape, 50), places, 0.2)


TOPICS = (("court", "law", "judge"), ("integral", "matrix"), ("enzyme", "protein", "cell"), ())
