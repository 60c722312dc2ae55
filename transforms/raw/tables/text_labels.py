"""Human labels of texts: sentiment and emotion."""

import dataframely as dy
import polars as pl

from transforms.raw.table import RawTable, Timed, key_column

TASKS = ("sentiment", "emotion")


class TextLabels(Timed):
    """One row per text, task and label given."""

    text_id = key_column()
    task = dy.String(nullable=False)
    label = key_column()

    @dy.rule()
    def task_is_not_known(cls) -> pl.Expr:
        """The task is one of ``TASKS``."""
        return pl.col("task").is_in(TASKS)


TEXT_LABELS = RawTable("text_labels", TextLabels, key=("text_id", "task"))
