"""Each source's published form into outcomes, by hand on tiny files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pointsman.errors import InputError
from pointsman.evaluate.data import catalog
from pointsman.evaluate.data.catalog import Downloaded, Source
from pointsman.evaluate.data.rates import (
    LEADERBOARD_RATES,
    SIZES_WITHOUT_A_NAME,
    SPROUT_RATES,
    size_billions,
    tier_rate,
)
from pointsman.evaluate.data.sources import CONVERTERS
from pointsman.outcomes import About, prompt_id_of, read, write_table
from pointsman.records import Outcomes
from published import (
    LEADERBOARD_MODELS,
    NAN,
    ROUTERBENCH_MODELS,
    SPROUT_MODELS,
    embedllm,
    leaderboard,
    llmrouterbench,
    routerbench,
    sprout,
)


def laid_out(files: Mapping[str, bytes], folder: Path, repo: str = "owner/set") -> list[Downloaded]:
    """The files as a download would leave them."""
    made = []
    for path, data in sorted(files.items()):
        local = folder / repo / path
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(data)
        made.append(Downloaded(repo, path, local))
    return made


def converted(source: Source, files: list[Downloaded], folder: Path) -> tuple[Outcomes, str]:
    table, notes = CONVERTERS[source.name](files)
    write_table(table, folder / "set", About("t"), overwrite=True)
    return read(folder / "set"), notes


def only(files: Mapping[str, bytes], *endings: str) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if path.endswith(endings)}


# --- RouterBench ----------------------------------------------------------------------------------------------------


def test_routerbench(tmp_path: Path) -> None:
    """Scores and costs as published; turns joined; a repeated id made distinct; a score above 1 left out."""
    files = laid_out(only(routerbench(), ".pkl"), tmp_path)
    found, notes = converted(catalog.ROUTERBENCH, files, tmp_path)
    assert found.models == ROUTERBENCH_MODELS
    assert found.prompt_ids == ["mmlu-astronomy.val.0", "mtbench.1", "mbpp.2", "mbpp.2#2"]
    assert found.texts[:2] == ["Which planet?", "Write a poem.\n\nNow don't rhyme."]
    assert found.datasets == ["mmlu-astronomy", "mtbench", "mbpp", "mbpp"]
    np.testing.assert_array_equal(found.score, [[1, 0], [0.9, 0.25], [1, 0], [1, NAN]])
    np.testing.assert_array_equal(found.cost_usd, [[0.01, 0.001], [0.02, 0.002], [0.03, 0.003], [0.04, NAN]])
    assert found.output_tokens[0].tolist() == [4.0, 4.0]  # "['an answer']" has 13 characters
    assert notes == "1 cells left out: is above 1."


# --- SPROUT ---------------------------------------------------------------------------------------------------------


def test_sprout(tmp_path: Path) -> None:
    """Cost is recorded tokens times CARROT's rates; an answer that is missing or has no score leaves no cost."""
    found, notes = converted(catalog.SPROUT, laid_out(sprout(), tmp_path), tmp_path)
    assert found.models == SPROUT_MODELS
    assert found.prompt_ids == ["test:1", "test:4", "train:1", "train:2", "train:3"]
    np.testing.assert_array_equal(found.score, [[1, 0], [0, NAN], [1, 0], [0, NAN], [1, NAN]])
    first = (101 * 2.5 + 10 * 10.0) / 1e6
    second = (101 * 0.06 + 20 * 0.06) / 1e6
    np.testing.assert_allclose(found.cost_usd[0], [first, second])
    np.testing.assert_array_equal(np.isnan(found.cost_usd), np.isnan(found.score))
    assert found.input_tokens.tolist() == [101.0, 104.0, 101.0, 102.0, 103.0]
    assert notes == "1 cells with a score outside [0, 1] are left out."


def test_sprout_with_o3_mini(tmp_path: Path) -> None:
    """The same form with one more model."""
    files = laid_out(sprout(("openai-gpt-4o", "openai-o3-mini")), tmp_path)
    found, _ = converted(catalog.SPROUT_O3MINI, files, tmp_path)
    np.testing.assert_allclose(found.cost_usd[0, 1], (101 * 1.1 + 20 * 4.4) / 1e6)


def test_sprout_without_a_rate_is_refused(tmp_path: Path) -> None:
    """A model nobody knows the rate of is not free."""
    with pytest.raises(InputError, match="model `someone-new` has no known rate"):
        converted(catalog.SPROUT, laid_out(sprout(("openai-gpt-4o", "someone-new")), tmp_path), tmp_path)


# --- Open LLM Leaderboard ---------------------------------------------------------------------------------------------


def leaderboard_files(folder: Path, models: int = 3) -> list[Downloaded]:
    repos = catalog.OPEN_LLM_LEADERBOARD.repos
    return [file for model in range(models) for file in laid_out(leaderboard(model), folder, repos[model])]


def test_the_leaderboard_is_joined_by_document(tmp_path: Path) -> None:
    """Whatever the order of each model's records, document 0 stands beside document 0, and the newest run counts."""
    found, notes = converted(catalog.OPEN_LLM_LEADERBOARD, leaderboard_files(tmp_path), tmp_path)
    assert found.models == tuple(sorted(LEADERBOARD_MODELS[:3]))
    row = {name: number for number, name in enumerate(found.prompt_ids)}
    assert set(row) == {*(f"mmlu_pro:{doc}" for doc in range(4)), "math_algebra_hard:0", "musr_team_allocation:0"}
    for doc in range(4):
        for model in range(3):
            column = found.models.index(LEADERBOARD_MODELS[model])
            assert found.score[row[f"mmlu_pro:{doc}"], column] == float(doc % 2 == model % 2)
    assert found.texts[row["mmlu_pro:3"]] == "q3\nA. one\nB. two"
    assert found.texts[row["musr_team_allocation:0"]] == "N\n\nQ"
    assert found.datasets[row["mmlu_pro:3"]] == "mmlu_pro"
    assert notes == ""


def test_the_leaderboards_tokens_and_cost(tmp_path: Path) -> None:
    """A quarter of the recorded prompt's characters; what is ranked writes nothing, what is written is counted."""
    found, _ = converted(catalog.OPEN_LLM_LEADERBOARD, leaderboard_files(tmp_path), tmp_path)
    rates = [LEADERBOARD_RATES[model] for model in found.models]
    ranked, written = found.prompt_ids.index("mmlu_pro:0"), found.prompt_ids.index("math_algebra_hard:0")
    assert found.input_tokens[[ranked, written]].tolist() == [10.0, 2.0]
    assert found.output_tokens[ranked].tolist() == [0.0] * 3
    assert found.output_tokens[written].tolist() == [3.0] * 3
    np.testing.assert_allclose(found.cost_usd[ranked], [10 * rate / 1e6 for rate in rates])
    np.testing.assert_allclose(found.cost_usd[written], [5 * rate / 1e6 for rate in rates])


def test_another_text_under_the_same_number_is_left_out(tmp_path: Path) -> None:
    """Two models that were asked different things under one number are not compared, and it is said."""
    files = leaderboard_files(tmp_path, 2)
    strange = next(file for file in files if "mmlu_pro_2024-06-16" in file.path and file.repo.find("Nous") > 0)
    strange.local.write_text(strange.local.read_text().replace('"q2"', '"another"'))
    found, notes = converted(catalog.OPEN_LLM_LEADERBOARD, files, tmp_path)
    assert np.isnan(found.score[found.prompt_ids.index("mmlu_pro:2")]).sum() == 1
    assert notes == "1 records whose text differs from the other models' are left out."


# --- EmbedLLM -------------------------------------------------------------------------------------------------------


def test_embedllm(tmp_path: Path) -> None:
    """A query's labels are averaged over its variants; cost is estimated tokens times a rate by size, or unknown."""
    files = laid_out(only(embedllm(), "train.csv", "val.csv", "test.csv"), tmp_path)
    found, notes = converted(catalog.EMBEDLLM, files, tmp_path)
    assert found.models == ("microsoft__phi-2", "org__m-7b", "unheard__of")
    assert found.prompt_ids == ["2", "5", "9"]
    assert found.texts[1] == "Which, of these:\n(A) one"
    assert found.datasets == ["gsm8k", "mmlu", "gsm8k"]
    np.testing.assert_array_equal(found.score, [[0, 1, NAN], [0, 0.5, NAN], [1, NAN, 1]])
    np.testing.assert_array_equal(found.input_tokens, [1, 6, 1])
    np.testing.assert_allclose(found.cost_usd, [[0.1e-6, 0.2e-6, NAN], [0.6e-6, 1.2e-6, NAN], [0.1e-6, NAN, NAN]])
    assert notes == "No size is known of unheard__of: no cost there."


@pytest.mark.parametrize(
    ("model", "size", "rate"),
    [
        ("meta-llama__Llama-2-7b-chat-hf", 7.0, 0.2),
        ("Qwen__Qwen-72B", 72.0, 0.9),
        ("mistralai__Mixtral-8x7B-Instruct-v0.1", 56.0, 0.9),
        ("deepseek-ai__deepseek-coder-1.3b-base", 1.3, 0.1),
        ("SUSTech__SUS-Chat-34B", 34.0, 0.8),
        ("a__giant-180b", 180.0, 1.8),
        ("microsoft__phi-1_5", 1.3, 0.1),
        ("openchat__openchat_3.5", 7.0, 0.2),
        ("someone__bf16-model", None, None),
    ],
)
def test_a_rate_by_size(model: str, size: float | None, rate: float | None) -> None:
    """The size as the name says it, every expert counted; no size, no rate."""
    assert size_billions(model) == size
    assert tier_rate(model) == rate


# --- LLMRouterBench ---------------------------------------------------------------------------------------------------


def test_llmrouterbench(tmp_path: Path) -> None:
    """The newest file counts, the larger split before the smaller; no score, no cost, a score of 40: left out."""
    found, notes = converted(catalog.LLMROUTERBENCH, laid_out(llmrouterbench(), tmp_path), tmp_path)
    assert found.models == ("gemini-2.5-pro", "gpt-5")
    order = [found.prompt_ids.index(f"mmlupro:{prompt_id_of(f'Question: q{n}')}") for n in (1, 2)]
    np.testing.assert_array_equal(found.score[order], [[NAN, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(found.cost_usd[order], [[NAN, 0.5], [0.125, 0.25]])
    np.testing.assert_array_equal(found.output_tokens[order], [[NAN, 30], [30, 30]])
    assert found.input_tokens.tolist() == [20.0, 20.0]
    assert set(found.datasets) == {"mmlupro"}
    assert notes == "1 cells with a score outside [0, 1] are left out."


# --- forms that have changed ------------------------------------------------------------------------------------------


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("source", "files", "what"),
    [
        (catalog.SPROUT, {"data/test-0.parquet": b"x"}, "is not a readable parquet file"),
        (catalog.EMBEDLLM, {"train.csv": b"prompt_id,label\n1,1\n"}, "is no CSV with the columns"),
        (catalog.EMBEDLLM, {"train.csv": embedllm()["train.csv"].replace(b"5,0,1,1", b"5,0,1,yes")}, "is no CSV"),
        (
            catalog.EMBEDLLM,
            {"train.csv": embedllm()["train.csv"].replace(b"5,0,1,1", b"5,0,1,")},
            "has a row with nothing",
        ),
        (
            catalog.LLMROUTERBENCH,
            {"a.tar.gz": truncated(llmrouterbench()["bench-release.tar.gz"])},
            "is not a readable archive",
        ),
        (catalog.LLMROUTERBENCH, {"a.tar.gz": b"x"}, "is not a readable archive"),
    ],
)
def test_a_changed_form_is_refused(tmp_path: Path, source: Source, files: dict[str, bytes], what: str) -> None:
    """The file is named, and what to do."""
    with pytest.raises(InputError) as caught:
        converted(source, laid_out(files, tmp_path), tmp_path)
    assert what in caught.value.what
    assert caught.value.place == f"owner/set/{next(iter(files))}"
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text: "{" + text, "is not JSON"),
        (lambda text: "[]\n" + text, "is no JSON object"),
        (lambda text: text.replace('"acc"', '"accuracy"'), "is no record of `mmlu_pro`"),
        (lambda text: text.replace('"doc_id"', '"number"'), "is no record of `mmlu_pro`"),
    ],
)
def test_a_changed_leaderboard_record_is_refused(tmp_path: Path, change: Callable[[str], str], what: str) -> None:
    """With the line."""
    files = leaderboard_files(tmp_path, 1)
    changed = next(file for file in files if "mmlu_pro_2024-06-16" in file.path)
    changed.local.write_text(change(changed.local.read_text()))
    with pytest.raises(InputError) as caught:
        converted(catalog.OPEN_LLM_LEADERBOARD, files, tmp_path)
    assert what in caught.value.what
    assert "line 1" in caught.value.what


def test_no_leaderboard_file_at_all(tmp_path: Path) -> None:
    """A repository without the tasks is refused."""
    with pytest.raises(InputError, match="no file of a leaderboard task"):
        converted(catalog.OPEN_LLM_LEADERBOARD, laid_out({"a/results.json": b"{}"}, tmp_path), tmp_path)


# --- the catalog ------------------------------------------------------------------------------------------------------


def test_every_source_can_be_converted_and_is_described() -> None:
    """A converter, a licence, a home and a note for each; commits and checksums are whole."""
    assert set(CONVERTERS) == set(catalog.SOURCES)
    for source in catalog.SOURCES.values():
        assert source.licence
        assert source.notes
        assert source.home.startswith("https://huggingface.co/")
        assert source.revision == "main" or len(source.revision) == 40
        assert all(len(digest) == 64 and path in source.files for path, digest in source.sha256.items())


def test_the_rates_are_those_of_the_paper() -> None:
    """Thirteen models of SPROUT and one more, eighteen of the leaderboard; every size table is positive."""
    assert len(SPROUT_RATES) == 14
    assert len(LEADERBOARD_RATES) == 18
    assert all(rate > 0 for pair in SPROUT_RATES.values() for rate in pair)
    assert all(size > 0 for size in SIZES_WITHOUT_A_NAME.values())


def test_an_unknown_source_is_refused() -> None:
    """With the names of those that there are."""
    with pytest.raises(InputError, match="routerbench, sprout"):
        catalog.source("imagenet")


def test_json_lines_of_another_shape_are_text(tmp_path: Path) -> None:
    """Arguments recorded as lists, as another release of the harness does it, give the same prompt."""
    files = leaderboard_files(tmp_path, 1)
    changed = next(file for file in files if "mmlu_pro_2024-06-16" in file.path)
    records: list[dict[str, Any]] = [json.loads(line) for line in changed.local.read_text().splitlines()]
    for record in records:
        record["arguments"] = [["s" * 40, " 0"], ["s" * 40, " 1"]]
    changed.local.write_text("".join(json.dumps(record) + "\n" for record in records))
    found, _ = converted(catalog.OPEN_LLM_LEADERBOARD, files, tmp_path)
    assert found.input_tokens[found.prompt_ids.index("mmlu_pro:1")] == 10.0


def test_a_pickle_with_mixed_columns_is_refused(tmp_path: Path) -> None:
    """A score column that holds texts and numbers is named."""
    frame = pd.DataFrame({"sample_id": ["a", "b"], "m": ["x", 1.0]}, dtype=object)
    frame.columns = pd.Index(frame.columns, dtype=object)
    files = laid_out({"routerbench_0shot.pkl": pickle.dumps(frame)}, tmp_path)
    with pytest.raises(InputError, match="column `m` mixes text and numbers"):
        converted(catalog.ROUTERBENCH, files, tmp_path)
