"""Fine-tunes a transformer encoder as a text classifier and exports it as ONNX in int8 (extra ``deep``).

It works with any encoder that Hugging Face's ``transformers`` can load as a sequence classifier, from a folder or by
its name on the hub. The result is served without torch, like the default models (``transforms.pure.text.encoder``).
Source of the recipe: Devlin et al. 2019 (AdamW, warm-up, linear decay); temperature: Guo et al. 2017.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.extras import install_command
from feature_repo.temporary import temporary_folder
from transforms.pure.text.encoder import LONGEST


@dataclass(frozen=True)
class EncoderRecipe:
    """Settings of the fine-tuning.

    Attributes:
        path: folder of the encoder, or its name on the hub.
        epochs: number of passes through the texts; may be a fraction.
        batch: texts per step.
        rate: largest learning rate.
        warmup: share of the steps until the largest learning rate.
        decay: weight decay.
        int8: whether the weights are quantized (dynamic quantization).
        seed: random seed of the order of the texts.
    """

    path: str
    epochs: float = 2.0
    batch: int = 32
    rate: float = 5e-5
    warmup: float = 0.06
    decay: float = 0.01
    int8: bool = True
    seed: int = 0


@dataclass(frozen=True)
class FittedEncoder:
    """The parts of a fine-tuned encoder that go into a bundle.

    Attributes:
        onnx: ONNX model: input_ids, attention_mask (n, length) int64 → logits (n, classes).
        tokenizer: JSON of the tokenizer, for the library ``tokenizers``.
        temperature: divisor of the logits.
        losses: smoothed training loss at every hundredth step.
    """

    onnx: bytes
    tokenizer: str
    temperature: float
    losses: tuple[float, ...]


def fit(
    texts: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    recipe: EncoderRecipe,
    *,
    validation: tuple[Sequence[str], np.ndarray],
    progress: Progress = silent,
) -> FittedEncoder:
    """Fine-tune, choose the temperature on validation texts, export.

    Args:
        texts: n training texts.
        labels: (n,) class numbers.
        classes: class names.
        recipe: settings of the fine-tuning.
        validation: texts and labels outside the training texts, for the temperature.
        progress: callback after each step.

    Raises:
        InputError: torch or transformers is not installed, or the path has no encoder that can be loaded.
    """
    torch, model, tokenizer = _load(recipe.path, len(classes))
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    encoded = tokenizer(list(texts), truncation=True, max_length=LONGEST)["input_ids"]
    step_count = round(recipe.epochs * len(texts) / recipe.batch)
    batches: list[np.ndarray] = []
    while len(batches) < step_count:
        batches += _batches(encoded, recipe.batch, rng)
    batches = batches[: max(step_count, 1)]
    steps = len(batches)
    undecayed = [parameter for name, parameter in model.named_parameters() if name.endswith("bias") or "Norm" in name]
    undecayed_ids = {id(parameter) for parameter in undecayed}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in undecayed_ids]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": undecayed, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
    warmup_steps = max(1, round(recipe.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup_steps, max(0.0, (steps - step) / max(1, steps - warmup_steps)))
    )
    model.train()
    losses: list[float] = []
    smoothed_loss = 0.0
    for step, batch in enumerate(batches):
        ids, mask = _padded(torch, [encoded[row] for row in batch], tokenizer.pad_token_id)
        logits = model(input_ids=ids, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels[batch]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        step_loss = float(loss.detach())
        smoothed_loss = step_loss if step == 0 else 0.98 * smoothed_loss + 0.02 * step_loss
        if (step + 1) % 100 == 0 or step + 1 == steps:
            losses.append(smoothed_loss)
        progress(step + 1, steps, f"loss {smoothed_loss:.3f}")
    model.eval()
    temperature = _temperature(torch, model, tokenizer, *validation)
    return FittedEncoder(
        _export(torch, model, recipe.int8), tokenizer.backend_tokenizer.to_str(), temperature, tuple(losses)
    )


def _load(path: str, classes: int) -> tuple[Any, Any, Any]:
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise InputError(
            expected="torch and transformers, to fine-tune an encoder",
            found=str(error),
            next_command=install_command("deep"),
        ) from error
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            path, num_labels=classes, ignore_mismatched_sizes=True, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise InputError(
            expected=f"an encoder in the folder {path!r}, or of this name on the hub",
            found=(str(error).splitlines() or [""])[0][:200],
            next_command="refrain model fine-tune --help",
        ) from error
    return torch, model, tokenizer


def _batches(encoded: Sequence[Sequence[int]], size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the rows of each batch, of similar lengths, in random order."""
    noise = rng.random(len(encoded))
    order = np.array(sorted(range(len(encoded)), key=lambda row: len(encoded[row]) + noise[row] * 2))
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    return [parts[place] for place in rng.permutation(len(parts))]


def _padded(torch: Any, rows: Sequence[Sequence[int]], pad: int) -> tuple[Any, Any]:
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.as_tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def logits(torch: Any, model: Any, tokenizer: Any, texts: Sequence[str], batch: int = 64) -> np.ndarray:
    """Return the logits (n, classes) of a torch model."""
    encoded = tokenizer(list(texts), truncation=True, max_length=LONGEST)["input_ids"]
    all_logits = None
    order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
    with torch.no_grad():
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            ids, mask = _padded(torch, [encoded[row] for row in rows], tokenizer.pad_token_id)
            batch_logits = model(input_ids=ids, attention_mask=mask).logits.numpy()
            all_logits = np.zeros((len(texts), batch_logits.shape[1])) if all_logits is None else all_logits
            all_logits[rows] = batch_logits
    return all_logits if all_logits is not None else np.zeros((0, 0))


def _temperature(torch: Any, model: Any, tokenizer: Any, texts: Sequence[str], labels: np.ndarray) -> float:
    """Return the divisor of logits with the lowest log loss."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(texts):
        return 1.0
    scores = logits(torch, model, tokenizer, texts)

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-log_probabilities[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 3), method="bounded").x))


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the warnings of tracing and quantization; tests compare the results at several text lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _export(torch: Any, model: Any, int8: bool) -> bytes:
    """Export the model as ONNX, for any number of texts of any length up to ``LONGEST``."""

    class Logits(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.inner(input_ids=input_ids, attention_mask=attention_mask).logits

    ids = torch.ones((2, 8), dtype=torch.long)
    axes = {0: "texts", 1: "length"}
    with temporary_folder() as scratch, _quietly():
        path = scratch / "model.onnx"
        torch.onnx.export(
            Logits().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "texts"}},
            opset_version=17,
            dynamo=False,
        )
        if not int8:
            return path.read_bytes()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantized_path = Path(scratch) / "int8.onnx"
        quantize_dynamic(path, quantized_path, weight_type=QuantType.QInt8)
        return quantized_path.read_bytes()
