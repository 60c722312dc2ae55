"""The checks of the batch run on any events, so that those of a failure can be made few."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from refrain.checking import batch, oracle
from refrain.checking.difference import Difference
from refrain.checking.generate import CUT, Reports
from transforms.batch.build import build
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import Batch, ingest

Check = Callable[[Reports], Difference | None]
"""A check of any events."""

CHUNKS = 3
"""Parts in which the events of a source are imported."""

_CUT = oracle.micros(CUT)


@dataclass(frozen=True)
class Repetitions:
    """Checks of the batch run of one table; each returns the first difference.

    Attributes:
        home: a data folder, for its tenant and project.
        table: the declaration.
        folder: returns another empty data folder at each call.
    """

    home: Home
    table: WindowedTable
    folder: Callable[[], Home]

    def compute(self, reports: Reports) -> Difference | None:
        """Compares the batch run without files with the definition."""
        rows = batch.computed(self.table, raw_tables(self.home), reports, self.home.tenant)
        return batch.compare(self.table, rows, reports, self.home.tenant)

    def compute_in_two(self, reports: Reports) -> Difference | None:
        """Compares the batch run without files with and without later events."""
        raw, early = raw_tables(self.home), batch.before(reports, _CUT)
        past = batch.computed(self.table, raw, early, self.home.tenant)
        whole = batch.computed(self.table, raw, reports, self.home.tenant)
        return batch.compare_past(self.table, past, whole, _CUT, reports)

    def rebuild(self, reports: Reports) -> Difference | None:
        """Compares the whole batch run, first of early events, then of all, with the definition."""
        home = self.folder()
        self._build(home, batch.before(reports, _CUT), _CUT)
        self._build(home, reports, batch.end([self.table], reports[self.table.source.name]))
        return batch.compare(self.table, batch.built(home, self.table), reports, home.tenant)

    def rebuild_in_two(self, reports: Reports) -> Difference | None:
        """Compares the whole batch run with and without later events."""
        early, past = batch.before(reports, _CUT), {}
        if early[self.table.source.name]:
            home = self.folder()
            self._build(home, early, _CUT)
            past = batch.built(home, self.table)
        home = self.folder()
        self._build(home, reports, batch.end([self.table], reports[self.table.source.name]))
        return batch.compare_past(self.table, past, batch.built(home, self.table), _CUT, reports)

    def _build(self, home: Home, reports: Reports, until: int) -> None:
        if reports[self.table.source.name]:
            build_events(home, reports, until)


def build_events(home: Home, reports: Reports, until: int) -> None:
    """Imports reports of events in parts, in the order of their arrival, and runs the batch run.

    Args:
        home: a data folder.
        reports: reports of each kind of events.
        until: moment of the batch run, microseconds since 1970.

    Raises:
        ValueError: an event is refused.
    """
    raw = raw_tables(home)
    for name, arrived in reports.items():
        size = max(-(-len(arrived) // CHUNKS), 1)
        for start in range(0, len(arrived), size):
            rows = pl.DataFrame(
                arrived[start : start + size], schema_overrides=raw[name].columns, infer_schema_length=None
            )
            imported = ingest(home, "generated", [Batch(name, rows)]).tables[name]
            if imported.quarantined:
                raise ValueError(f"events of {name} are refused: {', '.join(imported.reasons)}")
    build(home, oracle.EPOCH + timedelta(microseconds=until))
