"""The fine-tuned encoder: learns from text and from known cells alone, on a tiny encoder made here; no download."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pointsman.errors import InputError
from pointsman.estimate import transformer_model
from pointsman.estimate.transformer_model import Training, TransformerModel, fit_transformer_model
from pointsman.records import Floats, Outcomes, Prompts

MISSING = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
needs_extra = pytest.mark.skipif(bool(MISSING), reason=f"the sentence-transformers extra isn't installed: {MISSING}")
# The optional packages warn about themselves; that is not for us to fail on.
pytestmark = pytest.mark.filterwarnings("ignore")

FILLER = ("the", "a", "report", "question", "please", "number", "list", "of", "city", "answer", "now", "short")
QUICK = Training(epochs=8, batch_size=16, learning_rate=3e-3, max_tokens=32, device="cpu")


def history(count: int, seed: int = 0) -> Outcomes:
    """Model `a` is right where the text says "alpha", `b` where it doesn't; `c` costs thrice as much for "gamma"."""
    rng = np.random.default_rng(seed)
    alpha, gamma = rng.random(count) < 0.5, rng.random(count) < 0.5
    texts = [
        " ".join([*rng.choice(FILLER, rng.integers(3, 9)), "alpha" if x else "beta", "gamma" if y else "delta"])
        for x, y in zip(alpha, gamma, strict=True)
    ]
    score = np.column_stack([alpha, ~alpha, rng.random(count) < 0.8]).astype(float)
    cost = np.column_stack([np.full(count, 1e-6), np.full(count, 2e-6), np.where(gamma, 3e-5, 1e-5)])
    answers = np.column_stack([np.full(count, 10.0), np.full(count, 20.0), np.where(gamma, 300.0, 100.0)])
    tokens = np.array([len(text.split()) for text in texts], float)
    names = [str(i) for i in range(count)]
    return Outcomes(names, texts, ["t"] * count, ("a", "b", "c"), score, cost, answers, tokens)


def as_prompts(outcomes: Outcomes) -> Prompts:
    """The prompts of `outcomes`, with vectors that nobody reads."""
    return Prompts(outcomes.texts, np.zeros((len(outcomes), 1), np.float32), outcomes.input_tokens)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a RoBERTa of random weights, two layers of width 32, and a tokenizer of whole words."""
    folder = tmp_path_factory.mktemp("tiny-encoder")
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    tokenizers: Any = pytest.importorskip("tokenizers")
    words = ["<pad>", "<unk>", *FILLER, "alpha", "beta", "gamma", "delta"]
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=32
    ).save_pretrained(folder)
    config = transformers.RobertaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.RobertaModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def fitted(base: str) -> TransformerModel:
    """A model fine-tuned on 300 prompts."""
    past = history(300)
    return fit_transformer_model(past, as_prompts(past), base=base, training=QUICK, seed=0)


# --- with the extra ------------------------------------------------------------------------------------------------


@needs_extra
def test_learns_score_cost_and_length(fitted: TransformerModel) -> None:
    """On new prompts the two words decide who is right, what `c` costs and how long it answers."""
    new = history(200, seed=1)
    found = fitted.estimate(as_prompts(new))
    assert roc_auc_score(new.score[:, 0], found.quality[:, 0]) > 0.95
    assert roc_auc_score(new.score[:, 1], found.quality[:, 1]) > 0.95
    assert found.quality[:, 2].mean() == pytest.approx(0.8, abs=0.1)
    assert np.corrcoef(found.cost_usd[:, 2], new.cost_usd[:, 2])[0, 1] > 0.9
    assert found.cost_usd.mean(axis=0) == pytest.approx(new.cost_usd.mean(axis=0), rel=0.25)
    answers = found.tokens - new.input_tokens[:, None]
    assert answers.mean(axis=0) == pytest.approx(new.output_tokens.mean(axis=0), rel=0.25)


@needs_extra
def test_estimates_keep_their_ranges(fitted: TransformerModel) -> None:
    """Unknown words, an empty and an endless text: quality in [0, 1], cost and tokens no lower than can be."""
    texts = ["", "zzz qqq", "alpha " * 5000]
    tokens = np.array([0.0, 2.0, 1e6])
    found = fitted.estimate(Prompts(texts, np.zeros((3, 1), np.float32), tokens))
    for array in (found.quality, found.cost_usd, found.tokens, found.spread):
        assert array.shape == (3, 3)
        assert np.isfinite(array).all()
        assert array.min() >= 0
    assert found.quality.max() <= 1
    assert (found.tokens >= tokens[:, None]).all()
    assert fitted.name.startswith("fine-tuned tiny-encoder")
    assert fitted.models == ("a", "b", "c")


@needs_extra
def test_order_and_batches_change_nothing(fitted: TransformerModel) -> None:
    """A prompt is estimated alike alone, among others and in another order."""
    prompts = as_prompts(history(40, seed=2))
    whole = fitted.estimate(prompts).quality
    assert fitted.estimate(prompts.take(np.arange(40)[::-1])).quality[::-1] == pytest.approx(whole, abs=1e-5)
    assert fitted.estimate(prompts.take(np.array([7]))).quality[0] == pytest.approx(whole[7], abs=1e-5)


@needs_extra
def test_missing_is_not_zero(base: str) -> None:
    """A model that is right wherever it was asked is expected to be right, though two cells in three are missing."""
    past = history(200)
    hidden = np.random.default_rng(0).random(200) < 0.67
    past.score[:, 2] = np.where(hidden, np.nan, 1.0)
    past.cost_usd[hidden, 2] = np.nan
    fitted = fit_transformer_model(past, as_prompts(past), base=base, training=QUICK)
    found = fitted.estimate(as_prompts(past))
    assert found.quality[:, 2].min() > 0.9
    assert found.cost_usd[:, 2].min() > 3e-6


@needs_extra
def test_same_seed_same_model_and_torch_left_alone(base: str) -> None:
    """Two fits with one seed agree to the bit, and torch's own random state is as it was."""
    torch: Any = pytest.importorskip("torch")
    past, before = history(64), torch.random.get_rng_state()
    training = Training(epochs=1, max_tokens=32, device="cpu")
    fits = [fit_transformer_model(past, as_prompts(past), base=base, training=training, seed=3) for _ in range(2)]
    one, two = (fit.estimate(as_prompts(past)).quality for fit in fits)
    assert np.array_equal(one, two)
    assert torch.equal(torch.random.get_rng_state(), before)


@needs_extra
def test_refuses_an_encoder_that_is_not_there(tmp_path: Path) -> None:
    """A folder without an encoder is one clear error that names it."""
    past = history(40)
    with pytest.raises(InputError, match="can't be loaded"):
        fit_transformer_model(past, as_prompts(past), base=str(tmp_path))


# --- without it ----------------------------------------------------------------------------------------------------


def test_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch there is one clear error that names the extra to install."""

    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    past = history(40)
    with pytest.raises(InputError, match=r"pointsman\[sentence-transformers\]"):
        fit_transformer_model(past, as_prompts(past))


def test_refuses_a_history_that_is_too_short() -> None:
    """Nine rows are one clear error, before anything is loaded."""
    past = history(9)
    with pytest.raises(InputError, match="too few"):
        fit_transformer_model(past, as_prompts(past))


@pytest.mark.parametrize("name", ["epochs", "batch_size", "learning_rate", "max_tokens"])
def test_refuses_training_without_substance(name: str) -> None:
    """No epochs, no batch, no learning rate or no tokens is one clear error that names which."""
    with pytest.raises(InputError, match=name):
        Training(**{name: 0})  # type: ignore[arg-type]


def test_pace_rises_then_falls_to_zero() -> None:
    """Over 100 steps, warming up for ten: a tenth at once, all at the tenth, half way down at 55, then none."""
    pace = [transformer_model._pace(step, 100, 0.1) for step in range(101)]
    assert pace[0] == pytest.approx(0.1)
    assert pace[9] == pytest.approx(1.0)
    assert pace[55] == pytest.approx(0.5)
    assert pace[100] == 0.0


def test_reliability_gap_by_hand() -> None:
    """Estimates of 0.9 for answers that are right 600 times in 1,000 are 0.3 off; estimates of 0.6 are not."""
    score: Floats = np.tile([1.0, 1, 1, 0, 0], 200)[:, None]
    assert transformer_model._reliability_gap(score, np.full_like(score, 0.9))[0] == pytest.approx(0.3, abs=0.01)
    assert transformer_model._reliability_gap(score, np.full_like(score, 0.6))[0] < 0.02
