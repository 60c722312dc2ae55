"""Encrypted scores by CKKS: five packings, larger catalogues, real vectors, and what a client learns of the model.

*Packings*: one vector of 64 numbers against 500 tracks, on one core: CPU time of server and client, bytes that are sent
once, with a question and with an answer, largest error, and whether the ten best are those of the plain product. The
server loads the context for every question.

*Catalogues*: ours for 2,047, 10,000 and 50,000 tracks.

*Real vectors*: iALS of 64 factors on MovieLens 100k, 40 listeners drawn at random against all 1,682 films.

*What is learned*: a client asks about 64 unit vectors, and has the vectors of all tracks that it asked about.

Judged on: development: sizes and scales were chosen by the errors on random vectors; the vectors of MovieLens were
asked about once, at the end.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.encrypted_scoring
"""

import json
from typing import Any

import numpy as np

from benchmarks.protocols import movielens
from benchmarks.protocols.ckks_packings import PACKINGS, diagonals, timed
from benchmarks.surroundings import MACHINE, data_set, judged
from inference.encrypted.evaluation import accept_context, evaluate
from inference.encrypted.model_matrix import ModelMatrix
from refrain.client.encryption import EncryptionKeys
from training.models.recommendation.ials import IALS

TRACKS, DIMENSIONS, LISTENERS, BEST = 500, 64, 40, 10


def main() -> None:
    """Print one line of JSON."""
    films = movielens.read(data_set(movielens.DATA))
    cases = [*_packings(), *_catalogues(), *_real_vectors(films), *_learned()]
    print(json.dumps({"benchmark": "encrypted_scoring", "machine": MACHINE, "cases": judged(cases)}))


def _vectors(tracks: int) -> tuple[np.ndarray, np.ndarray]:
    """A random listener (d,) of norm about one, and tracks (n, d) of norms about one."""
    rng = np.random.default_rng(0)
    return rng.normal(size=DIMENSIONS) / 8, rng.normal(size=(tracks, DIMENSIONS)) / 8


def _packings() -> list[dict[str, Any]]:
    vector, tracks = _vectors(TRACKS)
    plain = tracks @ vector
    cases: list[dict[str, Any]] = []
    for name, packing in PACKINGS.items():
        cost = packing(vector, tracks)
        is_ours = packing is diagonals
        figures = [
            ("server CPU seconds", round(cost.server_s, 3), "<= 0.8"),
            ("client CPU seconds", round(cost.client_s, 3), None),
            ("kB sent once", round(cost.context / 1e3, 1), None),
            ("kB of a question", round(cost.upload / 1e3, 1), None),
            ("kB of an answer", round(cost.download / 1e3, 1), None),
            ("largest error", float(f"{np.abs(cost.scores - plain).max():.1e}"), "<= 0.0001"),
            ("same ten best", int(np.array_equal(_best(cost.scores), _best(plain))), "== 1"),
        ]
        cases += [
            {"case": name, "metric": metric, "value": value} | ({"goal": goal} if goal and is_ours else {})
            for metric, value, goal in figures
        ]
    return cases


def _catalogues() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []
    for count in (2_047, 10_000, 50_000):
        vector, tracks = _vectors(count)
        cost = diagonals(vector, tracks)
        _, plain = timed(lambda tracks=tracks, vector=vector: tracks @ vector)  # type: ignore[misc]
        case = f"{count:,} tracks, ours"
        cases += [
            {"case": case, "metric": "server CPU seconds", "value": round(cost.server_s, 3)},
            {"case": case, "metric": "kB of an answer", "value": round(cost.download / 1e3)},
            {"case": case, "metric": "plain CPU seconds", "value": round(plain, 4)},
        ]
    return cases


def _real_vectors(films: Any) -> list[dict[str, Any]]:
    vectors = IALS(factors=DIMENSIONS, half_life_days=None).fit(films, int(films.time.max()) + 1)
    listeners = np.random.default_rng(1).permutation(len(vectors.user))[:LISTENERS]
    keys, matrix = EncryptionKeys(DIMENSIONS), ModelMatrix.of(vectors.track.T, "m:1")
    context, same, error = accept_context(keys.public), 0, 0.0
    for listener in vectors.user[listeners].astype(np.float64):
        question = keys.encrypt(listener.tolist())
        scores = np.array(
            question.decrypt(evaluate(context, question.content, matrix.blocks), matrix.columns, matrix.norm)
        )
        plain = vectors.track.astype(np.float64) @ listener
        same += np.array_equal(_best(scores), _best(plain))
        error = max(error, float(np.abs(scores - plain).max()))
    case = f"MovieLens 100k, {LISTENERS} listeners, {len(vectors.track):,} films"
    return [
        {"case": case, "metric": "same ten best, share", "value": same / LISTENERS, "goal": "== 1"},
        {"case": case, "metric": "largest error", "value": float(f"{error:.1e}"), "goal": "<= 0.0001"},
    ]


def _learned() -> list[dict[str, Any]]:
    _, tracks = _vectors(TRACKS)
    keys, matrix = EncryptionKeys(DIMENSIONS), ModelMatrix.of(tracks.T, "m:1")
    context, columns = accept_context(keys.public), []
    for unit in np.eye(DIMENSIONS):
        question = keys.encrypt(unit.tolist())
        blocks = evaluate(context, question.content, matrix.blocks)
        columns.append(question.decrypt(blocks, matrix.columns, matrix.norm))
    error = float(np.abs(np.array(columns).T - tracks).max())
    case = f"{TRACKS} tracks solved from {DIMENSIONS} questions"
    return [{"case": case, "metric": "largest error of a number", "value": float(f"{error:.1e}")}]


def _best(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:BEST]


if __name__ == "__main__":
    main()
