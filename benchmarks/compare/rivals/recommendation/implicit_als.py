"""iALS of implicit; its settings are chosen on the last tenth of the history."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

REQUIREMENTS = ["implicit", "polars", "scipy"]
GRID = list(product((16, 32, 64), (0.01, 0.1), (1.0, 10.0)))


def fit(rows, shape, factors, regularization, alpha):
    """Fits a model to pairs (n, 2) of a person and a film; returns it with the matrix of what each has."""
    matrix = csr_matrix((np.ones(len(rows)), (rows[:, 0], rows[:, 1])), shape=shape)
    matrix.data[:] = 1.0
    model = AlternatingLeastSquares(factors, regularization=regularization, alpha=alpha, random_state=0, num_threads=1)
    model.fit(matrix, show_progress=False)
    return model, matrix


def ndcg(model, matrix, later):
    """Mean NDCG@10 of the people who have new films later."""
    discounts, gains = 1 / np.log2(np.arange(2, 12)), []
    for user, items in later.items():
        if matrix[user].nnz and items:
            ranked, _ = model.recommend(user, matrix[user], N=10)
            hits = np.isin(ranked, list(items))
            gains.append(discounts[: len(hits)][hits].sum() / discounts[: min(len(items), 10)].sum())
    return float(np.mean(gains))


folder, out = map(Path, sys.argv[1:])
history = pl.read_parquet(folder / "history.parquet").sort("time", maintain_order=True)
people = pl.read_parquet(folder / "people.parquet")["user"].to_list()
users, items = history["user"].unique().sort().to_list(), history["item"].unique().sort().to_list()
number = {name: place for place, name in enumerate(users)}, {name: place for place, name in enumerate(items)}
rows = np.array([(number[0][u], number[1][i]) for u, i in history.select("user", "item").iter_rows()])
shape, border = (len(users), len(items)), int(len(rows) * 0.9)
known, later = set(map(tuple, rows[:border].tolist())), {}
for user, item in rows[border:].tolist():
    if (user, item) not in known:
        later.setdefault(user, set()).add(item)
best = max(GRID, key=lambda setting: ndcg(*fit(rows[:border], shape, *setting), later))
model, matrix = fit(rows, shape, *best)
answers = []
for name in people:
    ranked, _ = model.recommend(number[0][name], matrix[number[0][name]], N=20)
    answers += [(name, rank, items[item]) for rank, item in enumerate(ranked.tolist(), 1)]
pl.DataFrame(answers, schema=["user", "rank", "item"], orient="row").write_parquet(out)
