"""A transformer encoder as a classifier of texts, on ONNX Runtime and ``tokenizers``.

It is fitted in ``training.models.text.encoder`` (extra ``deep``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from feature_repo.errors import BundleError
from feature_repo.extras import install_command
from transforms.pure.text.linear import probabilities

LONGEST = 128
"""Most tokens of a text that are used."""
BATCH = 32


def predictor(
    manifest: Mapping[str, Any], read: Callable[[str], bytes]
) -> Callable[[Sequence[str], Sequence[list[str]]], np.ndarray]:
    """Create the function from texts (and their words, which are ignored) to (n, classes) probabilities.

    Args:
        manifest: manifest of the bundle.
        read: reader of the bundle's files ``model.onnx`` (input_ids, attention_mask → logits) and ``tokenizer.json``.

    Raises:
        BundleError: ``tokenizers`` or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
        from tokenizers import Tokenizer
    except ImportError as error:
        raise BundleError(
            expected=f"tokenizers and onnxruntime, for the encoder {manifest['name']}:{manifest['version']}",
            found=str(error),
            next_command=install_command("encoder"),
        ) from error
    tokenizer = Tokenizer.from_str(read("tokenizer.json").decode())
    tokenizer.enable_truncation(LONGEST)
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(manifest["extra"].get("threads", 1))
    session = onnxruntime.InferenceSession(read("model.onnx"), options, providers=["CPUExecutionProvider"])
    temperature = float(manifest["extra"].get("temperature", 1.0))

    def predict(texts: Sequence[str], tokens: Sequence[list[str]]) -> np.ndarray:
        encoded = tokenizer.encode_batch([text[: LONGEST * 20] for text in texts])
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index].ids))
        result = np.zeros((len(texts), len(manifest["extra"]["classes"])))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            width = max(len(encoded[index].ids) for index in batch)
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros((len(batch), width), np.int64)
            for row, index in enumerate(batch):
                token_ids = encoded[index].ids
                ids[row, : len(token_ids)], mask[row, : len(token_ids)] = token_ids, 1
            logits = np.asarray(session.run(None, {"input_ids": ids, "attention_mask": mask})[0], np.float64)
            result[batch] = probabilities(logits / temperature)
        return result

    return predict
