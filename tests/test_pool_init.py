"""First files: written from the keys that are there, and readable by what reads configurations."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pointsman.errors import InputError
from pointsman.pool.init import FIRST, first_settings
from pointsman.pool.providers import PROVIDERS
from pointsman.pool.registry import read_settings
from pointsman.pool.writing import Completed, to_yaml, write_settings

TODAY = date(2026, 6, 1)


def test_models_of_the_keys_that_are_there(tmp_path: Path) -> None:
    """Two keys, two providers' models; the file names the variables and not their values."""
    environ = {
        "OPENAI_API_KEY": "sk-one",
        "ANTHROPIC_API_KEY": "sk-two",
        "GROQ_API_KEY": " ",
        "POINTSMAN_MASTER_KEY": "m",
    }
    text = first_settings(environ, TODAY)
    found = write_settings(text, tmp_path / "pointsman.yaml", environ, TODAY)
    assert {model.provider for model in found.models} == {"openai", "anthropic"}
    assert found.master_key == "m"
    assert "sk-" not in text
    assert found.funds[0].amount == 10 * 10**9


def test_without_a_key_a_local_server(tmp_path: Path) -> None:
    """Nothing in the environment: a file for a server on this machine, free and without a key."""
    found = write_settings(first_settings({}, TODAY), tmp_path / "pointsman.yaml", {}, TODAY)
    (model,) = found.models
    assert model.endpoints[0].base_url.startswith("http://127.0.0.1:")
    assert (model.endpoints[0].key, model.rates[0].source, found.master_key) == (None, "free", None)


@pytest.mark.parametrize("provider", FIRST)
def test_every_provider_has_a_model_to_begin_with(tmp_path: Path, provider: str) -> None:
    """Its first models have known rates and read back; none of them was dropped."""
    environ = {PROVIDERS[provider].variable: "key"}
    found = write_settings(first_settings(environ, TODAY), tmp_path / "pointsman.yaml", environ, TODAY)
    assert [model.id for model in found.models] == [f"{provider}/{name}" for name, _ in FIRST[provider]]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Without --force nothing is overwritten."""
    path = tmp_path / "pointsman.yaml"
    path.write_text("mine")
    with pytest.raises(InputError, match="there already"):
        write_settings(first_settings({}, TODAY), path, {}, TODAY)
    assert path.read_text() == "mine"
    write_settings(first_settings({}, TODAY), path, {}, TODAY, force=True)
    assert path.read_text() != "mine"


def test_what_would_not_read_back_is_not_written(tmp_path: Path) -> None:
    """A bad text leaves no file, not even a half one, and the error names the file that was meant."""
    path = tmp_path / "pointsman.yaml"
    with pytest.raises(InputError) as caught:
        write_settings("models: []", path, {}, TODAY)
    assert caught.value.place == f"{path}, line 1"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The reason is told, not a stack."""
    with pytest.raises(InputError, match="cannot be written"):
        write_settings(first_settings({}, TODAY), tmp_path / "none" / "pointsman.yaml", {}, TODAY)


def test_written_files_are_for_their_owner(tmp_path: Path) -> None:
    """They may hold keys, so nobody else may read them."""
    path = tmp_path / "pointsman.yaml"
    write_settings(first_settings({}, TODAY), path, {}, TODAY)
    assert path.stat().st_mode & 0o077 == 0


def test_unset_variables_read_as_set() -> None:
    """A completed environment has what is set, and a stand-in for the rest."""
    environ = Completed({"A": "x"})
    assert (environ["A"], environ.get("B")) == ("x", "https://not-set.invalid")
    assert (list(environ), len(environ)) == (["A"], 1)


def test_equal_parts_are_written_twice() -> None:
    """No anchors: a part that happens to be equal stands there again."""
    part = {"a": [1, 2]}
    assert to_yaml({"x": part, "y": part}) == "x:\n  a: [1, 2]\ny:\n  a: [1, 2]\n"


def test_providers_read(tmp_path: Path) -> None:
    """Every provider in the table has a sound address and kind."""
    path = tmp_path / "pointsman.yaml"
    path.write_text("models:\n" + "".join(f"  - {{id: {name}/m, rates: free}}\n" for name in PROVIDERS))
    found = read_settings(path, Completed({}), TODAY)
    assert [model.endpoints[0].base_url for model in found.models] == [one.base_url for one in PROVIDERS.values()]
