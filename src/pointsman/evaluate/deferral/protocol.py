"""UniRoute's protocol: which prompts and which models a trial trains on, asks and tests.

60 / 10 / 30 % of the prompts are for training, validation and test, two thirds of the models are known and the rest
unseen, all at random; trial t of seed s draws from `default_rng((s, t))`, whatever else is run. The probes of an
unseen model are the first n validation prompts of a random order, so that fewer are the start of more, or picked.
With `shift` whole tasks make up the test. In a static pool every model is known and every label outside the test is
there.

Takes outcomes; gives a `Split` (row and column numbers) and the `Trial` cut along it. Refuses a set that is too small
and more probes than there are. Fits and judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Floats, Ints, Outcomes, Prompts

LEAST_PROMPTS, LEAST_MODELS = 10, 3


@dataclass(frozen=True, slots=True)
class Parting:
    """How every trial is made; see the module.

    Attributes:
        seed: what all randomness comes from.
        shift, static: see the module.
    """

    seed: int = 0
    shift: bool = False
    static: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Row and column numbers of one trial.

    Attributes:
        train, validation, test: rows; those of the validation in the random order that probes are taken in.
        known, unseen: columns, ascending; both are all columns in a static pool.
    """

    train: Ints
    validation: Ints
    test: Ints
    known: Ints
    unseen: Ints


@dataclass(frozen=True, eq=False)
class Trial:
    """One trial's outcomes and prompts; equal to itself alone, so that a fit on it can be remembered.

    Attributes:
        number: of the trial.
        seed: for every fit in it.
        static: every model is known.
        split: where all this lies in the set.
        history, prompts: the known models' outcomes on the training prompts; in a static pool also on the validation
            prompts.
        tuning, tuning_prompts: the known models' outcomes on the training prompts alone.
        validation, validation_prompts: the known models' outcomes on all validation prompts.
        asked: the unseen models' outcomes on the validation prompts, from which probes are taken.
        everything, every_prompt: all models' outcomes on all prompts but the test's; for clairvoyants alone.
        test, test_prompts: the pool's outcomes on the test prompts; for judging alone.
        cost_usd: float [N], each unseen model's mean cost over the prompts that aren't tested.
    """

    number: int
    seed: int
    static: bool
    split: Split
    history: Outcomes
    prompts: Prompts
    tuning: Outcomes
    tuning_prompts: Prompts
    validation: Outcomes
    validation_prompts: Prompts
    asked: Outcomes
    everything: Outcomes
    every_prompt: Prompts
    test: Outcomes
    test_prompts: Prompts
    cost_usd: Floats

    def probes(self, rows: Ints) -> Probes:
        """The probes at `rows` of the validation; in a static pool all labels there are, whatever `rows`."""
        if self.static:
            return Probes(self.prompts, self.history, self.history)
        return Probes(self.validation_prompts.take(rows), self.asked.take(rows), self.validation.take(rows))


def check_size(outcomes: Outcomes, parting: Parting) -> None:
    """Refuse a set that the protocol can't part.

    Raises:
        InputError: fewer than 10 prompts or 3 models, or a single task under `shift`.
    """
    if len(outcomes) < LEAST_PROMPTS:
        raise InputError(
            f"{len(outcomes)} complete prompts can't be parted into training, validation and test",
            place=outcomes.title,
            remedy=f"give at least {LEAST_PROMPTS}; a lower --min-coverage keeps more models and fewer rows",
        )
    if len(outcomes.models) < LEAST_MODELS:
        raise InputError(
            f"{len(outcomes.models)} models can't be parted into known and unseen ones",
            place=outcomes.title,
            remedy=f"give at least {LEAST_MODELS}; a lower --min-coverage keeps more models",
        )
    if parting.shift and len(set(outcomes.datasets)) < 2:
        raise InputError(
            "all prompts are of one task, so no task can be held out",
            place=f"{outcomes.title}, column dataset",
            remedy="leave out --shift, or name the tasks in the column",
        )


def validation_size(prompts: int) -> int:
    """How many validation prompts every trial has: the most probes that can be asked."""
    return prompts * 7 // 10 - prompts * 6 // 10


def known_models(models: int) -> int:
    """How many of them are known: two thirds, but at least two, and at least one unseen."""
    return min(max(round(2 * models / 3), 2), models - 1)


def split_trial(outcomes: Outcomes, number: int, parting: Parting) -> Split:
    """The split of trial `number`.

    Raises:
        InputError: as `check_size`.
    """
    check_size(outcomes, parting)
    count, models = len(outcomes), len(outcomes.models)
    rng = np.random.default_rng((parting.seed, number))
    order = rng.permutation(count)
    if parting.shift:
        test, rest = _tasks_apart(np.asarray(outcomes.datasets)[order], rng)
        order = np.concatenate([order[rest], order[test]])
        tested = len(test)
    else:
        tested = count - count * 7 // 10
    columns, known = rng.permutation(models), known_models(models)
    # The validation part has the same size in every trial, so that a number of probes means the same in all of them.
    cut = count - tested - validation_size(count)
    parts = (order[:cut], order[cut : count - tested], order[count - tested :])
    if parting.static:
        return Split(*parts, np.arange(models), np.arange(models))
    return Split(*parts, np.sort(columns[:known]), np.sort(columns[known:]))


def _tasks_apart(task: np.ndarray[tuple[int], np.dtype[np.str_]], rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows of the tasks that are tested and of the others: tasks join at random while that comes nearer to 30 %."""
    names, group, sizes = np.unique(task, return_inverse=True, return_counts=True)
    wanted, tested = 0.3 * len(task), 0
    chosen = np.zeros(len(names), dtype=np.bool_)
    for name in rng.permutation(len(names)):
        if abs(tested + sizes[name] - wanted) < abs(tested - wanted):
            chosen[name] = True
            tested += int(sizes[name])
    return np.flatnonzero(chosen[group]), np.flatnonzero(~chosen[group])


def make_trial(outcomes: Outcomes, prompts: Prompts, number: int, parting: Parting) -> Trial:
    """One trial's outcomes and prompts.

    Args:
        outcomes: complete in score and cost.
        prompts: the same rows.

    Raises:
        InputError: as `check_size`.
    """
    split = split_trial(outcomes, number, parting)
    past = np.concatenate([split.train, split.validation])
    known, unseen = outcomes.only(split.known), outcomes.only(split.unseen)
    train_prompts, past_prompts = prompts.take(split.train), prompts.take(past)
    tuning, everything = known.take(split.train), outcomes.take(past)
    return Trial(
        number=number,
        seed=int(np.random.SeedSequence((parting.seed, number)).generate_state(1)[0]) % 2**31,
        static=parting.static,
        split=split,
        history=everything if parting.static else tuning,
        prompts=past_prompts if parting.static else train_prompts,
        tuning=tuning,
        tuning_prompts=train_prompts,
        validation=known.take(split.validation),
        validation_prompts=prompts.take(split.validation),
        asked=unseen.take(split.validation),
        everything=everything,
        every_prompt=past_prompts,
        test=unseen.take(split.test),
        test_prompts=prompts.take(split.test),
        cost_usd=unseen.cost_usd[past].mean(axis=0),
    )
