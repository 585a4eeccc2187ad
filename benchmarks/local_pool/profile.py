"""The profile table of a set of outcomes: mean score by skill and model, with cost and length, in Markdown.

cd benchmarks && python -m local_pool.profile [--data local-pool]
"""

from __future__ import annotations

import argparse

import numpy as np

from pointsman.cli.places import outcomes_at
from pointsman.records import Outcomes


def profile(outcomes: Outcomes) -> str:
    """One row a skill, one column a model; the best of each row is bold. Below: all, cost, length."""
    skills = [name.removeprefix("probe:") for name in outcomes.datasets]
    names = [model.partition("/")[2] for model in outcomes.models]
    lines = ["| skill | probes | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for skill in sorted(set(skills)):
        rows = np.array([one == skill for one in skills])
        lines.append(_line(skill, str(rows.sum()), np.nanmean(outcomes.score[rows], axis=0)))
    lines.append(_line("**all**", str(len(skills)), np.nanmean(outcomes.score, axis=0)))
    costs = np.nanmean(outcomes.cost_usd, axis=0) * 1e6
    lengths = np.nanmean(outcomes.output_tokens, axis=0)
    lines.append("| USD per million probes | | " + " | ".join(f"{one:.1f}" for one in costs) + " |")
    lines.append("| tokens an answer | | " + " | ".join(f"{one:.0f}" for one in lengths) + " |")
    return "\n".join(lines)


def _line(name: str, rows: str, scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    best = np.nanmax(scores)
    cells = [f"**{one:.2f}**" if one == best and best > 0 else f"{one:.2f}" for one in scores]
    return f"| {name} | {rows} | " + " | ".join(cells) + " |"


def main() -> None:
    """Prints it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="local-pool")
    print(profile(outcomes_at(parser.parse_args().data)))


if __name__ == "__main__":
    main()
