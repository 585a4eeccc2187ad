"""A fine-tuned text encoder for score, cost and length: the PORT paper's RoBERTa baseline itself, as an extra.

Needs torch and transformers (`pip install "pointsman[sentence-transformers]"`), the weights of a base encoder (a
Hugging Face id or a local folder), and a GPU or patience: hours on a CPU for tens of thousands of prompts. Takes
outcomes and prompts, gives `Estimates` like `text_model.py`, which is what the benchmarks use unless told otherwise.

The encoder's last layer is averaged over the tokens; one linear head on it and on the known input length has three
outputs a model: score (logistic loss), cost and answer tokens (log link, Poisson loss: both give conditional means).
Missing cells (NaN) carry no loss. Source: Wu & Silwal, arXiv 2509.02718, baselines Roberta-Perf and Roberta-Cost;
the paper gives no recipe, this one is the usual one for RoBERTa (Liu et al., arXiv 1907.11692, table 10).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.text_model import check_trainable, outputs_of
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts

HELD_OUT = 0.1
# An output is held below e^10 times its mean: one wild logarithm mustn't break a fit.
_HIGHEST_LOG = 10.0
_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Training:
    """How to fine-tune.

    Attributes:
        epochs: passes over the history.
        batch_size: prompts a step.
        learning_rate: at its peak, after a warm-up over the first `warmup` of all steps; it then falls to zero.
        max_tokens: a longer prompt is cut.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
    """

    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 2e-5
    warmup: float = 0.06
    max_tokens: int = 512
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "max_tokens"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"`{name}` is {getattr(self, name)!r}", place="transformer training", remedy="give more than zero"
                )


# torch and transformers are optional and have no types here: what comes from them is Any.
@dataclass(frozen=True)
class _Net:
    torch: Any
    tokenizer: Any
    encoder: Any
    head: Any
    device: str
    max_tokens: int

    def outputs(self, texts: list[str], lengths: Floats) -> Any:
        """A tensor [Q, 3M]: score logits, log cost and log answer length over their units."""
        coded = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        hidden = self.encoder(input_ids=coded["input_ids"], attention_mask=coded["attention_mask"]).last_hidden_state
        there = coded["attention_mask"][..., None].to(hidden.dtype)
        pooled = (hidden * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return self.head(self.torch.cat([pooled, self.tensor(lengths)[:, None]], dim=1))

    def tensor(self, array: Any) -> Any:
        """`array` as float32 on the device."""
        return self.torch.as_tensor(np.ascontiguousarray(array), dtype=self.torch.float32, device=self.device)


@dataclass(frozen=True)
class TransformerModel:
    """A fine-tuned encoder.

    Attributes:
        models: ids of the M models.
        name: as a report should call it, with the base encoder.
        net: tokenizer, encoder and head.
        mean_log, scale_log: of log(1 + input tokens) in the history.
        cost_unit, answer_unit: float [M].
        gap: float [M], see `estimate`.
        batch_size: prompts at a time.
    """

    models: tuple[str, ...]
    name: str
    net: _Net
    mean_log: float
    scale_log: float
    cost_unit: Floats
    answer_unit: Floats
    gap: Floats
    batch_size: int

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread for Q prompts, each [Q, M].

        `spread` is one number a model: on the tenth of the history that was held out, grouped into ten by estimate,
        the root mean square of mean score minus mean estimate, less what chance alone would give. It says how far
        the estimates are off on the whole, not for one prompt.
        """
        tokens = np.asarray(prompts.input_tokens, np.float64)
        lengths = (np.log1p(tokens) - self.mean_log) / self.scale_log
        score, cost, answer = np.split(_predict(self.net, list(prompts.texts), lengths, self.batch_size), 3, axis=1)
        return Estimates(
            quality=1.0 / (1.0 + np.exp(-score)),
            cost_usd=np.exp(np.minimum(cost, _HIGHEST_LOG)) * self.cost_unit,
            tokens=tokens[:, None] + np.exp(np.minimum(answer, _HIGHEST_LOG)) * self.answer_unit,
            spread=np.tile(self.gap, (len(tokens), 1)),
        )


def fit_transformer_model(
    history: Outcomes,
    prompts: Prompts,
    *,
    base: str = "FacebookAI/roberta-base",
    training: Training | None = None,
    seed: int = 0,
) -> TransformerModel:
    """Fine-tunes the encoder `base` on a history; a tenth of it, drawn by `seed`, only measures the spread.

    Args:
        history: Q past queries on M models, NaN where nothing was recorded.
        prompts: the same Q queries; `vectors` aren't read.
        base: a Hugging Face id (downloaded) or a folder with an encoder and its tokenizer.
        training: None means `Training()`.
        seed: of the head's first weights, the order of the prompts, dropout and the held-out rows.

    Raises:
        InputError: torch or transformers isn't installed, `base` can't be loaded, or the history can't be used.
    """
    check_trainable(history, prompts)
    training = training or Training()
    torch, rng = _extra("torch"), np.random.default_rng(seed)
    outputs, cost_unit, answer_unit = outputs_of(history)
    log = np.log1p(np.asarray(prompts.input_tokens, np.float64))
    mean_log, scale_log = float(log.mean()), float(log.std()) or 1.0
    lengths = (log - mean_log) / scale_log
    order = rng.permutation(len(history))
    out, kept = np.split(order, [max(1, int(HELD_OUT * len(order)))])
    # Torch's global generators are put back as they were found.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        net = _load(base, training, outputs)
        _train(net, [prompts.texts[i] for i in kept], lengths[kept], outputs[kept], training=training, rng=rng)
    texts = [prompts.texts[i] for i in out]
    logits = _predict(net, texts, lengths[out], training.batch_size)[:, : len(history.models)]
    gap = _reliability_gap(history.score[out], 1.0 / (1.0 + np.exp(-logits)))
    name = f"fine-tuned {base.rstrip('/').rsplit('/', 1)[-1]}"
    return TransformerModel(
        history.models, name, net, mean_log, scale_log, cost_unit, answer_unit, gap, training.batch_size
    )


def _extra(name: str) -> Any:
    """An optional package; InputError if it isn't installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"`{name}` isn't installed",
            place="transformer text model",
            remedy='install the extra: pip install "pointsman[sentence-transformers]"',
        ) from error


def _load(base: str, training: Training, outputs: Floats) -> _Net:
    """The base encoder with a new head whose scores start at each model's mean."""
    torch, transformers = _extra("torch"), _extra("transformers")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(base)
        encoder = transformers.AutoModel.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the encoder {base!r} can't be loaded",
            place="transformer text model",
            remedy="give a Hugging Face id that can be reached, or a folder with an encoder and its tokenizer",
        ) from error
    device = training.device or ("cuda" if torch.cuda.is_available() else "cpu")
    width, count = int(encoder.config.hidden_size), outputs.shape[1]
    head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(width + 1, count))
    with torch.no_grad():
        mean = np.clip(np.nanmean(outputs[:, : count // 3], axis=0), 0.01, 0.99)
        head[1].weight.mul_(0.1)
        head[1].bias.zero_()
        head[1].bias[: count // 3] = torch.as_tensor(np.log(mean / (1 - mean)), dtype=torch.float32)
    longest = min(training.max_tokens, int(tokenizer.model_max_length))
    return _Net(torch, tokenizer, encoder.to(device), head.to(device), device, longest)


def _train(
    net: _Net, texts: list[str], lengths: Floats, outputs: Floats, *, training: Training, rng: np.random.Generator
) -> None:
    """AdamW over `training.epochs` passes; changes the weights of `net`."""
    parameters = [*net.encoder.parameters(), *net.head.parameters()]
    optimizer = net.torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=0.01)
    steps = training.epochs * -(-len(texts) // training.batch_size)
    schedule = net.torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, steps, training.warmup))
    net.encoder.train()
    net.head.train()
    for _ in range(training.epochs):
        for rows in _batches(rng.permutation(len(texts)), training.batch_size):
            optimizer.zero_grad()
            loss = _loss(net, net.outputs([texts[i] for i in rows], lengths[rows]), outputs[rows])
            loss.backward()
            net.torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
    net.encoder.eval()
    net.head.eval()


def _pace(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at `step`: up in a line over the warm-up, then down in a line to zero."""
    rising = max(1.0, warmup * steps)
    return min((step + 1) / rising, max(0.0, (steps - step) / max(1.0, steps - rising)))


def _batches(order: Ints, size: int) -> list[Ints]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _loss(net: _Net, predicted: Any, outputs: Floats) -> Any:
    """Mean loss over the known cells of scores, plus that of costs, plus that of answer lengths."""
    functional = net.torch.nn.functional
    known = net.tensor(np.isfinite(outputs)).chunk(3, dim=1)
    score, cost, answer = net.tensor(np.nan_to_num(outputs)).chunk(3, dim=1)
    logit, *logs = predicted.chunk(3, dim=1)
    lost = [functional.binary_cross_entropy_with_logits(logit, score, reduction="none")]
    for log, target in zip(logs, (cost, answer), strict=True):
        capped = log.clamp(max=_HIGHEST_LOG)
        lost.append(functional.poisson_nll_loss(capped, target, log_input=True, reduction="none"))
    means = [(part * mask).sum() / mask.sum().clamp(min=1) for part, mask in zip(lost, known, strict=True)]
    return means[0] + means[1] + means[2]


def _predict(net: _Net, texts: list[str], lengths: Floats, batch_size: int) -> Floats:
    """Raw outputs [Q, 3M]; texts of like length go together, so that little padding is computed."""
    found = np.empty((len(texts), net.head[1].out_features))
    order = np.argsort([len(text) for text in texts], kind="stable")
    with net.torch.inference_mode():
        for rows in _batches(order, batch_size):
            found[rows] = net.outputs([texts[i] for i in rows], lengths[rows]).cpu().numpy()
    return found


def _reliability_gap(score: Floats, quality: Floats) -> Floats:
    """How far mean scores are from mean estimates within groups of like estimates, [M], net of chance."""
    return np.array([_gap_of_one(score[:, m], quality[:, m]) for m in range(score.shape[1])])


def _gap_of_one(score: Floats, quality: Floats) -> float:
    known = np.isfinite(score)
    order = np.argsort(quality[known], kind="stable")
    error = (score[known] - quality[known])[order]
    groups = [group for group in np.array_split(error, _GROUPS) if len(group) > 1]
    if not groups:
        return 0.5
    squares = [group.mean() ** 2 - group.var(ddof=1) / len(group) for group in groups]
    return float(np.sqrt(max(0.0, float(np.mean(squares)))))
