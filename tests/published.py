"""Tiny sets in the exact form in which each source publishes, for several test files. All values are made up."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pointsman.evaluate.data.rates import LEADERBOARD_RATES

ROUTERBENCH_MODELS = ("gpt-4-1106-preview", "mistralai/mistral-7b-chat")


def routerbench() -> dict[str, bytes]:
    """One pickled DataFrame: texts, scores and answers as objects, costs as floats, prompts as texts of lists."""
    ids = ["mmlu-astronomy.val.0", "mtbench.1", "mbpp.2", "mbpp.2"]
    columns: dict[str, list[Any]] = {
        "sample_id": ids,
        "prompt": ["['Which planet?']", "['Write a poem.', \"Now don't rhyme.\"]", "['def f']", "['def g']"],
        "eval_name": ["mmlu-astronomy", "mtbench", "mbpp", "mbpp"],
        ROUTERBENCH_MODELS[0]: [1.0, 0.9, 1.0, 1.0],
        ROUTERBENCH_MODELS[1]: [0.0, 0.25, 0.0, 7.0],
        **{f"{model}|model_response": ["['an answer']"] * 4 for model in ROUTERBENCH_MODELS},
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    frame[f"{ROUTERBENCH_MODELS[0]}|total_cost"] = [0.01, 0.02, 0.03, 0.04]
    frame[f"{ROUTERBENCH_MODELS[1]}|total_cost"] = [0.001, 0.002, 0.003, 0.004]
    frame["oracle_model_to_route_to"] = pd.Series([*ROUTERBENCH_MODELS, "no_model_correct", "x"], dtype=object)
    frame.columns = pd.Index(frame.columns, dtype=object)
    return {"routerbench_0shot.pkl": pickle.dumps(frame, protocol=5), "README.md": b"---\n---\n"}


SPROUT_MODELS = ("openai-gpt-4o", "wxai-llama-3-2-1b-instruct")


def _sprout_rows(keys: list[int], models: tuple[str, ...]) -> list[dict[str, Any]]:
    def answer(key: int, model: int) -> dict[str, Any] | None:
        if (key, model) == (3, 1):
            return None
        score = None if (key, model) == (2, 1) else 1.5 if (key, model) == (4, 1) else (key + model) % 2
        return {
            "response": "text",
            "score": score,
            "judge_response": "text",
            "num_input_tokens": 100 + key,
            "num_output_tokens": 10 * (model + 1),
        }

    return [
        {"key": str(key), "dataset": "math", "dataset_level": "1", "dataset_idx": "0", "prompt": f"prompt {key}"}
        | {"golden_answer": "x"}
        | {name: answer(key, model) for model, name in enumerate(models)}
        for key in keys
    ]


def sprout(models: tuple[str, ...] = SPROUT_MODELS) -> dict[str, bytes]:
    """Parquet shards, one struct column a model."""
    shards = {
        "data/train-00000-of-00002.parquet": [1, 2],
        "data/train-00001-of-00002.parquet": [3],
        "data/test-00000-of-00001.parquet": [1, 4],
    }
    made = {}
    for path, keys in shards.items():
        with io.BytesIO() as file:
            pq.write_table(pa.Table.from_pylist(_sprout_rows(keys, models)), file)
            made[path] = file.getvalue()
    return made


def embedllm() -> dict[str, bytes]:
    """Long CSV files; prompts with line breaks, and one that is listed under two task variants."""
    header = "prompt_id,model_id,category_id,label,prompt,model_name,category\n"
    question = '"Which, of these:\n(A) one"'
    train = [
        f"5,0,1,1,{question},org__m-7b,mmlu",
        f"5,1,1,0,{question},microsoft__phi-2,mmlu",
        f"5,0,2,0,{question},org__m-7b,mmlu_other",
        "2,0,1,1,two?,org__m-7b,gsm8k",
    ]
    val = ["2,1,1,0,two?,microsoft__phi-2,gsm8k", "9,2,1,1,nine,unheard__of,gsm8k"]
    order = b"model_id,model_name\n0,org__m-7b\n"
    files = {"train.csv": train, "val.csv": val, "test.csv": ["9,1,1,1,nine,microsoft__phi-2,gsm8k"]}
    return {name: (header + "\n".join(rows) + "\n").encode() for name, rows in files.items()} | {
        "model_order.csv": order
    }


LEADERBOARD_MODELS = tuple(LEADERBOARD_RATES)


def leaderboard(model: int) -> dict[str, bytes]:
    """One model's repository: its records in the order of its own data-parallel run of `model + 1` ranks."""
    name = LEADERBOARD_MODELS[model].replace("/", "__")
    ranks = model + 1
    order = [doc for rank in range(ranks) for doc in range(rank, 4, ranks)]
    mmlu = [
        {
            "doc_id": doc,
            "doc": {"question_id": doc, "question": f"q{doc}", "options": ["one", "two"], "answer": "A"},
            "target": "A",
            "arguments": {f"gen_args_{n}": {"arg_0": "s" * 40, "arg_1": f" {n}"} for n in range(2)},
            "resps": [[["-1.5", "False"]], [["-2.5", "False"]]],
            "doc_hash": "x",
            "acc": float(doc % 2 == model % 2),
        }
        for doc in order
    ]
    maths = [
        {
            "doc_id": 0,
            "doc": {"problem": "1+1", "level": "Level 5", "type": "Algebra", "solution": "2", "answer": "2"},
            "arguments": {"gen_args_0": {"arg_0": "p" * 8, "arg_1": {"until": ["Problem:"]}}},
            "resps": [["a" * 12]],
            "exact_match": "1.0",
        }
    ]
    musr = [{"doc_id": 0, "doc": {"narrative": "N", "question": "Q", "choices": "[]"}, "resps": [], "acc_norm": True}]
    stamp = "2024-06-16T19-10-04.926831"
    files: dict[str, list[dict[str, Any]]] = {
        f"{name}/samples_leaderboard_mmlu_pro_{stamp}.json": mmlu,
        f"{name}/samples_leaderboard_mmlu_pro_2024-06-01T00-00-00.000000.json": [{"an": "older run"}],
        f"{name}/samples_leaderboard_math_algebra_hard_{stamp}.jsonl": maths,
        f"{name}/samples_leaderboard_musr_team_allocation_{stamp}.json": musr,
        f"{name}/samples_leaderboard_ifeval_{stamp}.json": [{"not": "in the set"}],
    }
    made = {path: "".join(json.dumps(row) + "\n" for row in rows).encode() for path, rows in files.items()}
    return made | {f"{name}/results_{stamp}.json": b"{}", "README.md": b"x"}


def llmrouterbench() -> dict[str, bytes]:
    """Result files in one archive: an older run, a smaller split of the same questions, a model without a price."""

    def result(dataset: str, split: str, model: str, records: list[dict[str, Any]], **more: object) -> bytes:
        return json.dumps(
            {"dataset_name": dataset, "split": split, "model_name": model, "records": records, **more}
        ).encode()

    def record(number: int, score: float | None, cost: float | None) -> dict[str, Any]:
        return {
            "index": number,
            "origin_query": f"q{number}",
            "prompt": f"Question: q{number}",
            "score": score,
            "prompt_tokens": 20,
            "completion_tokens": 30,
            "cost": cost,
        }

    wide = [record(1, 1.0, 0.5), record(2, 0.0, 0.25), record(3, None, 0.25)]
    thin = [record(1, 0.0, 9.0)]
    gemini = [record(1, 0.5, 0.0), record(2, 1.0, 0.125), record(3, 40.0, 0.125)]
    files = {
        "bench-release/mmlupro/test_3000/gpt-5/gpt-5_20250901_120000.json": result(
            "mmlupro", "test_3000", "gpt-5", wide
        ),
        "bench-release/mmlupro/test_3000/gpt-5/gpt-5_20250101_120000.json": result(
            "mmlupro", "test_3000", "gpt-5", thin
        ),
        "bench-release/mmlupro/test/gpt-5/gpt-5_20250902_120000.json": result("mmlupro", "test", "gpt-5", thin),
        "bench-release/mmlupro/test_3000/gemini-2.5-pro/g_20250901_120000.json": result(
            "mmlupro", "test_3000", "gemini-2.5-pro", gemini
        ),
        "bench-release/tau2/test/gpt-5/d_20250901_120000.json": result("tau2", "test", "gpt-5", thin, demo=True),
        "bench-release/bbh/test/gpt-5/d_20250901_120000.json": result("bbh", "test", "gpt-5", thin),
        "bench-release/mmlupro/test/Qwen3-8B/q_20250901_120000.json": b"never parsed: this model has no price",
        "bench-release/README.md": b"x",
    }
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return {"bench-release.tar.gz": buffer.getvalue()}


NAN = np.nan
