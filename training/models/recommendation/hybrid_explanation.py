"""How the score of a candidate of the hybrid comes about: by its ranker's inputs and by what is summed with the ranker.

The score is a weighted sum of scores that are standardised among the candidates of one request. A contribution of an
input to the ranker (TreeSHAP) is therefore divided by the deviation of the ranker's scores there; an input that is
itself summed, such as taste, has its own share besides. All contributions and the base value sum to the score.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from training.background import Parts, background
from training.models.recommendation.ranker import Ranked
from transforms.pure.candidates.blend import RANKER, scale_of

if TYPE_CHECKING:
    import lightgbm


def explain_rows(
    booster: "lightgbm.Booster",
    ranked: Ranked,
    inputs: np.ndarray,
    scores: np.ndarray,
    sizes: np.ndarray,
    weights: Mapping[str, float],
    positions: np.ndarray,
) -> bytes:
    """Packs some rows, their contributions and the parts of their order as the background of a bundle.

    Args:
        booster: the ranker.
        ranked: inputs of the ranker.
        inputs: (n, d) inputs of the candidates of all requests.
        scores: (n,) scores of the ranker.
        sizes: number of candidates of each request; the rows of a request are consecutive.
        weights: weights of the order.
        positions: (m,) numbers of the rows to explain.
    """
    used = {name: weight for name, weight in weights.items() if weight}
    rows = inputs[positions]
    if not len(positions):
        return background(rows, np.zeros((0, inputs.shape[1] + 1)), "hybrid.onnx")
    contributions = np.asarray(booster.predict(rows, pred_contrib=True))
    if tuple(used) == (RANKER,):
        return background(rows, contributions, "hybrid.onnx")
    columns = tuple(ranked.inputs)
    request = np.repeat(np.arange(len(sizes)), sizes)[positions]
    parts = _parts(used, columns, inputs, scores, sizes, request)
    return background(rows, _of_order(contributions, parts, rows, columns), "hybrid.onnx", parts)


def _parts(
    weights: Mapping[str, float],
    columns: tuple[str, ...],
    inputs: np.ndarray,
    scores: np.ndarray,
    sizes: np.ndarray,
    request: np.ndarray,
) -> Parts:
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    scales = np.zeros((len(request), len(weights), 3))
    for number in np.unique(request).tolist():
        candidates = slice(bounds[number], bounds[number + 1])
        scales[request == number] = [
            scale_of(scores[candidates] if name == RANKER else inputs[candidates, columns.index(name)])
            for name in weights
        ]
    return Parts(tuple(weights), np.array(list(weights.values())), *np.moveaxis(scales, 2, 0))


def _of_order(contributions: np.ndarray, parts: Parts, rows: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    """Contributions (n, d + 1) of each input to the score of the order, with the base value last."""
    units = parts.units
    by_part = parts.contributions(np.zeros(len(rows)), rows, columns)
    result = np.zeros(contributions.shape)
    for number, name in enumerate(parts.names):
        if name == RANKER:
            result += contributions * units[:, number, None]
            result[:, -1] -= parts.means[:, number] * units[:, number]
        else:
            result[:, columns.index(name)] += by_part[:, number]
    return result
