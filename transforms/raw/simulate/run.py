"""Draw a world and store it as any other source would be."""

import itertools

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms import parquet
from transforms.raw.ingest import Report, ingest
from transforms.raw.simulate.plays import listen
from transforms.raw.simulate.texts import write
from transforms.raw.simulate.world import Size, catalogue, draw, truth


def simulate(home: Home, size: Size, seed: int, *, progress: Progress = silent) -> Report:
    """Fill the raw tables with a world; the truth goes to ``simulated/`` in the data folder."""
    rng = np.random.default_rng(seed)
    world = draw(size, rng)
    report = ingest(
        home,
        f"simulate seed={seed}",
        # texts are drawn from a stream of their own: with or without them, the listening is the same
        itertools.chain(catalogue(world), write(world, np.random.default_rng([seed, 1])), listen(world, rng)),
        progress=progress,
    )
    for name, rows in truth(world).items():
        parquet.write_whole(rows, home.root / "simulated" / f"{name}.parquet")
    return report
