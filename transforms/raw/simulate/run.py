"""Draws a world and imports it like any other source."""

import itertools

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms import parquet
from transforms.raw.ingest import ingest
from transforms.raw.report import Report
from transforms.raw.simulate.plays import listen
from transforms.raw.simulate.texts import write
from transforms.raw.simulate.world import Size, catalogue, draw, truth


def simulate(home: Home, size: Size, seed: int, *, progress: Progress = silent) -> Report:
    """Fill the raw tables with a simulated world; the ground truth goes to ``simulated/`` in the data folder."""
    rng = np.random.default_rng(seed)
    world = draw(size, rng)
    report = ingest(
        home,
        f"simulate seed={seed}",
        # texts have a random generator of their own: plays are the same with and without texts
        itertools.chain(catalogue(world), write(world, np.random.default_rng([seed, 1])), listen(world, rng)),
        progress=progress,
    )
    for name, rows in truth(world).items():
        parquet.write_whole(rows, home.root / "simulated" / f"{name}.parquet")
    return report
