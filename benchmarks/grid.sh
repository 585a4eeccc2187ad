#!/usr/bin/env bash
# Is `paced` first everywhere? Every split, factor, volume and scenario on every outcome set in a folder.
#
#     benchmarks/grid.sh ../shared/data out/grid [SET ...]
#
# All online policies but the two BatchSplits, whose 0/1 programs take minutes a run: name them with POLICIES to have
# them too. Each bench resumes where an earlier call stopped; its page and rows are in out/grid/SET-WHAT.
set -euo pipefail
data=$1 out=$2
shift 2
cd "$(dirname "$0")/.."
pointsman=${POINTSMAN:-.venv/bin/pointsman}
policies=${POLICIES:-port,random,greedy-perf,greedy-cost,knn-perf,knn-cost,text-perf,text-cost,greedy-feasible,mirror-descent,pid-pacing,paced}
orders=${ORDERS:-2}
sets=("$@")
[ ${#sets[@]} -gt 0 ] || sets=(openllm_lb_v2 routerbench_3task mmlu_pro_cot paretobandit_k4)
for set in "${sets[@]}"; do
    common=(--data "$data/$set" --policies "$policies" --orders "$orders")
    for what in split factor volume; do
        "$pointsman" bench budget "${common[@]}" --sweep $what --out "$out/$set-$what" | grep "paced is"
    done
    "$pointsman" bench budget "${common[@]}" --scenario all --out "$out/$set-scenario" | grep "paced is"
done
