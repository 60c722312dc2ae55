"""Bayesian personalized ranking of Cornac, with its usual settings and 64 factors."""

import sys
from pathlib import Path

import cornac
import numpy as np
import polars as pl

REQUIREMENTS = ["cornac", "polars"]

folder, out = map(Path, sys.argv[1:])
history = pl.read_parquet(folder / "history.parquet").unique(["user", "item"], maintain_order=True)
people = pl.read_parquet(folder / "people.parquet")["user"].to_list()
data = cornac.data.Dataset.from_uir([(user, item, 1.0) for user, item, *_ in history.iter_rows()], seed=0)
model = cornac.models.BPR(k=64, max_iter=200, learning_rate=0.01, lambda_reg=0.01, seed=0, num_threads=1).fit(data)
names = {place: name for name, place in data.iid_map.items()}
known = {user: set(items) for user, items in history.group_by("user").agg("item").iter_rows()}
answers = []
for name in people:
    order = np.argsort(-model.score(data.uid_map[name]))
    fresh = [names[item] for item in order.tolist() if names[item] not in known[name]][:20]
    answers += [(name, rank, item) for rank, item in enumerate(fresh, 1)]
pl.DataFrame(answers, schema=["user", "rank", "item"], orient="row").write_parquet(out)
