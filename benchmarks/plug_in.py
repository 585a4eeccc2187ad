"""How long it takes to plug a model into a running router, beyond the model's own answers.

A router over simulated outcomes with a history of `--history` prompts; a newcomer answers `--probes` of them. Timed:
`Router.plug_in` (probes embedded, model placed, prices solved anew, snapshot swapped) against fitting the router again
with the newcomer in, in the same run. Run: `python benchmarks/plug_in.py [--history 100000] [--probes 500]`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np

from pointsman.evaluate.simulated import simulate
from pointsman.records import Fund
from pointsman.router import Router

NEWCOMER = 5  # a model of middling rate


def main() -> None:
    """Times both and prints the median, the range and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    everything = simulate(args.history + args.probes, seed=0)
    newcomer = np.array([NEWCOMER])
    others = np.delete(np.arange(len(everything.models)), NEWCOMER)
    history = everything.take(np.arange(args.history)).only(others)
    probes = everything.take(np.arange(args.history, len(everything)))
    funds = [Fund("all", 5.0), *(Fund(model, 1.0, models=(model,)) for model in history.models)]
    started = time.perf_counter()
    router = Router.fit(history, funds, volume=10_000)
    fitting = time.perf_counter() - started
    print(f"fitting the router on {args.history:,} prompts x {len(history.models)} models: {fitting:.1f} s")
    seconds = []
    for run in range(args.runs):
        name = f"new/model-{run}"
        asked = replace(probes.only(newcomer), models=(name,))
        started = time.perf_counter()
        router.plug_in(asked, probes.only(others), [Fund(name, 1.0, models=(name,))])
        seconds.append(time.perf_counter() - started)
        served = sum(decision.model == name for decision in router.route(probes.texts))
        print(f"  plugged in {name} with {args.probes} probes: {seconds[-1]:.3f} s; gets {served} of {len(probes)}")
    middle = statistics.median(seconds)
    print(f"median {middle:.3f} s ({min(seconds):.3f} to {max(seconds):.3f}), {middle / fitting:.4f} of a fit")


if __name__ == "__main__":
    main()
