"""Runs the checks of a project in a temporary data folder."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from feature_repo.contract import Contract, contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.windows import EventSource, WindowedTable
from refrain.checking import batch, examples, on_demand, oracle, stream
from refrain.checking.batch import History, Key
from refrain.checking.difference import Crash, Difference, same
from refrain.checking.generate import CUT, Arrival, Reports, arrivals, valid
from refrain.checking.repetitions import Check, Repetitions, build_events
from refrain.checking.report import Result, describe, plural, time_text
from refrain.checking.selection import Selection, select
from refrain.checking.shrink import shrink
from refrain.checking.workplace import workplace
from transforms.raw.declared import raw_tables

Attempt = Callable[[], Difference | None]
"""A check of what is there."""

_CUT = oracle.micros(CUT)

OVERSAMPLING = (1, 4, 16)
"""Multiples of the number of events that are generated if the raw table refuses others."""


@dataclass(frozen=True)
class _Generated:
    """Generated events of one source.

    Attributes:
        events: reports of events that the raw table accepts, in the order of arrival.
        reason: why there are none.
    """

    events: list[Arrival]
    reason: str = ""


@dataclass
class Run:
    """The checks of a project.

    Attributes:
        home: an empty data folder.
        contract: the definitions.
        selection: those that are checked.
        seed: seed of the generated events.
        size: number of generated events of each source.
    """

    home: Home
    contract: Contract
    selection: Selection
    seed: int
    size: int
    _numbers: Iterator[int] = field(default_factory=count)
    _stages: list[dict[str, dict[Key, History]]] = field(default_factory=list)

    def results(self) -> Iterator[Result]:
        """Runs the checks one by one, and yields their results."""
        for name in self.selection.examples:
            yield self._example(name)
        for name in self.selection.functions:
            yield self._function(name)
        services = []
        for name in sorted(self.selection.services):
            reason = self._reason_to_skip(name)
            if reason:
                yield Result(name, "offline = online", 0.0, reason, is_skipped=True)
            else:
                services.append(name)
        tables, reports = [], self._reports(services)
        for table in self._tables(services):
            reason = "; ".join(reports[source.name].reason for source in table.sources if reports[source.name].reason)
            if not reason:
                tables.append(table)
            else:
                yield Result(table.name, "generated events", 0.0, reason, is_skipped=True)
        if tables:
            yield from self._generated(tables, services, {name: one.events for name, one in reports.items()})

    def _generated(
        self, tables: list[WindowedTable], services: list[str], reports: dict[str, list[Arrival]]
    ) -> Iterator[Result]:
        """Runs the checks on generated events of each source."""
        built = self._build_tables(tables, reports)
        yield built
        for table in tables:
            if table.name in self.selection.tables:
                own_reports = {source.name: reports[source.name] for source in table.sources}
                if built.status == "ok":
                    yield from self._batch(table, own_reports)
                yield self._stream(table, own_reports)
        if services and built.status == "ok":
            yield from self._services(services, tables, reports)

    def _tables(self, services: list[str]) -> list[WindowedTable]:
        """The selected tables, and those that the services read."""
        names = {*self.selection.tables, *(table for service in services for table in self._tables_of(service))}
        return [self.contract.windowed[name] for name in sorted(names)]

    def _reason_to_skip(self, service: str) -> str:
        """Returns why no events can be generated for a service; empty if they can."""
        from refrain.checking.services import views_of

        views = views_of(self.contract, service)
        plain = sorted(views - set(self.contract.feature_tables))
        if plain:
            return f"it reads {', '.join(plain)}, whose rows come from elsewhere"
        return "" if views & set(self.contract.windowed) else "it reads no windowed table"

    def _tables_of(self, service: str) -> set[str]:
        from refrain.checking.services import views_of

        return views_of(self.contract, service) & set(self.contract.windowed)

    def _reports(self, services: list[str]) -> dict[str, _Generated]:
        """Generates the events of the sources and dimensions of the selected tables."""
        sources = {source.name: source for table in self._tables(services) for source in table.sources}
        return {name: self._generate(source) for name, source in sources.items()}

    def _generate(self, source: EventSource) -> _Generated:
        """Generates the events of a source; they are the same whichever tables are selected.

        Raises:
            InputError: events of the source cannot be told apart.
        """
        if not source.key:
            raise InputError(
                expected=f"a key of the EventSource {source.name}: columns that identify an event with its time",
                found="key=()",
                next_command=f'declare EventSource("{source.name}", …, key=("{next(iter(source.columns), "id")}",))',
            )
        tables = [table for table in self.contract.windowed.values() if source in table.sources]
        raw, reasons = raw_tables(self.home)[source.name], set[str]()
        for factor in OVERSAMPLING:
            accepted, reasons = valid(raw, arrivals(source, tables, self.size * factor, self.seed))
            if len(accepted) >= self.size:
                first = self.size // 2
                is_whole = factor == 1
                return _Generated(accepted if is_whole else [*accepted[:first], *accepted[first - self.size :]])
        refusal = f"the raw table {source.name} refuses generated events: {', '.join(sorted(reasons))}"
        return _Generated([], f"{refusal}; write examples")

    # Windowed tables

    def _build_tables(self, tables: list[WindowedTable], reports: dict[str, list[Arrival]]) -> Result:
        """Builds the tables of the first half of the events, then of all, then of all at once, and notes the rows."""
        all_reports = list(chain.from_iterable(reports.values()))
        started = time.monotonic()
        failure: tuple[str, ...] = ()
        subject = tables[0].name if len(tables) == 1 else f"{len(tables)} tables"
        end = batch.end(tables, all_reports)
        try:
            for home, until in ((self.home, _CUT), (self.home, end), (self._folder(), end)):
                parts = batch.before(reports, until)
                if any(parts.values()):
                    build_events(home, parts, until)
                    self._stages.append({table.name: batch.built(home, table) for table in tables})
                else:  # all events are later
                    self._stages.append({table.name: {} for table in tables})
        except Exception as error:
            difference = Difference("", {}, None, "feature tables", Crash.of(error), "generated events", "batch run")
            failure = describe(difference, self._command(None))
        note = f"{plural(len(all_reports), 'report')} of events, in three runs"
        return Result(subject, "batch run", time.monotonic() - started, note, failure)

    def _batch(self, table: WindowedTable, reports: Reports) -> Iterator[Result]:
        """Compares the rows that were built in two steps with the definition, and those of one step with the first."""
        past, whole, at_once = (stage[table.name] for stage in self._stages)
        repetitions = Repetitions(self.home, table, self._folder)
        yield self._compared(
            table,
            "batch = definition",
            f"{plural(len(whole), 'key')} at every moment",
            reports,
            partial(batch.compare, table, whole, reports, self.home.tenant),
            [repetitions.compute, repetitions.rebuild],
        )
        yield self._compared(
            table,
            "no future seen",
            f"rows up to {CUT:%Y-%m-%d}",
            reports,
            partial(batch.compare_past, table, past, at_once, _CUT, reports),
            [repetitions.compute_in_two, repetitions.rebuild_in_two],
        )

    def _stream(self, table: WindowedTable, reports: Reports) -> Result:
        def check(events: Reports) -> Difference | None:
            return stream.compare(table, events, self.home.tenant)

        note = f"after each of {plural(len(reports[table.source.name]), 'arrival')}"
        return self._compared(table, "stream = definition", note, reports, partial(check, reports), [check])

    def _compared(
        self,
        table: WindowedTable,
        name: str,
        note: str,
        reports: Reports,
        check: Attempt,
        repetitions: Sequence[Check],
    ) -> Result:
        """Runs a check of a table; if it fails, makes the events few with the first repetition that also fails."""
        started = time.monotonic()
        difference = _attempt(check, reports)
        seconds = time.monotonic() - started
        if difference is None:
            return Result(table.name, name, seconds, note)
        for repetition in repetitions:
            smallest = _smallest(difference, reports, repetition)
            if smallest is not None:
                difference = smallest
                break
        return Result(table.name, name, seconds, note, describe(difference, self._command(table.name), table.name))

    # Services, functions, examples

    def _services(
        self, names: list[str], tables: list[WindowedTable], reports: dict[str, list[Arrival]]
    ) -> Iterator[Result]:
        from refrain.checking import services

        until = _whole_second(max(report["event_timestamp"] for report in chain.from_iterable(reports.values())))
        keys: dict[str, list[Any]] = {}
        for table in tables:
            for key in table.keys:
                source, column = table.origin(key)
                seen = {report.get(column, self.home.tenant) for report in reports[source.name]} - {None}
                keys[key] = sorted({*seen, *keys.get(key, [])})
        started = time.monotonic()
        subject = names[0] if len(names) == 1 else f"{len(names)} services"
        difference = _attempt(partial(services.publish, self.home, self.contract, names, until))
        failure = describe(difference, self._command(None)) if difference else ()
        yield Result(subject, "apply, materialize", time.monotonic() - started, f"as of {until:%F %T}", failure)
        if difference:
            return
        for name in names:
            started = time.monotonic()
            difference = _attempt(partial(services.compare, self.home, name, keys, until))
            seconds = time.monotonic() - started
            failure = describe(difference, self._command(name)) if difference else ()
            yield Result(name, "offline = online", seconds, "training set and lookup", failure)

    def _function(self, name: str) -> Result:
        started = time.monotonic()
        function = self.contract.on_demand[name]
        difference = _attempt(partial(on_demand.compare, self.contract, function, self.seed))
        seconds = time.monotonic() - started
        failure = describe(difference, self._command(name)) if difference else ()
        return Result(name, "alone = in a batch", seconds, f"{on_demand.ROWS} rows", failure)

    def _example(self, name: str) -> Result:
        example, started = self.contract.examples[name], time.monotonic()
        lines = [f"{'table':9} {example.table.name}", f"{'moment':9} {time_text(example.at)}"]
        is_wrong = False
        try:
            rows = examples.values(self._folder().root, self.contract, example)
        except Exception as error:
            is_wrong = True
            lines.append(f"{'found':9} {Crash.of(error)}")
        else:
            for column, expected in example.expect.items():
                differs = not same(rows[column], expected)
                is_wrong |= differs
                mark = "  <- differs" if differs else ""
                lines.append(f"{column}: expected {expected!r}, found {rows[column]!r}{mark}")
        lines.append(f"{'repeat':9} refrain test {shlex.quote(name)}")
        note = f"{plural(len(example.events), 'event')}, {plural(len(example.expect), 'column')}"
        return Result(name, "example", time.monotonic() - started, note, tuple(lines) if is_wrong else ())

    def _folder(self) -> Home:
        """An empty data folder inside the temporary one."""
        return replace(self.home, root=self.home.root / "parts" / str(next(self._numbers)))

    def _command(self, name: str | None) -> str:
        return " ".join(["refrain test", *([name] if name else []), f"--seed {self.seed} --events {self.size}"])


def run(
    project_folder: Path | None,
    name: str | None,
    *,
    bundled: bool,
    seed: int,
    size: int,
    begin: Callable[[Contract, Selection], None],
    show: Callable[[Result], None],
) -> list[Result]:
    """Runs the checks of a project.

    Args:
        project_folder: folder of the project; None for the bundled one.
        name: what is checked, see ``select``; all that is the project's own if None.
        bundled: whether the bundled definitions are checked, too.
        seed: seed of the generated events.
        size: number of generated events of each source.
        begin: callback with the definitions, and those that are checked, before the first check.
        show: callback for each result.

    Returns:
        The results, in the order of the checks.

    Raises:
        InputError: a definition is invalid, or nothing has the name.
    """
    with workplace(project_folder) as home:
        contract = contract_of(home)
        _find_all(home, contract)
        selection = select(contract, name, bundled=bundled)
        begin(contract, selection)
        results = []
        for result in Run(home, contract, selection, seed, size).results():
            show(result)
            results.append(result)
        return results


def _find_all(home: Home, contract: Contract) -> None:
    """Finds all definitions, so that an invalid one is one clear error before any check."""
    contract.feast_objects()
    raw_tables(home)
    _ = contract.computed_tables, contract.request_fields, contract.examples


def _attempt(check: Attempt, events: Reports | None = None) -> Difference | None:
    """Runs a check; an error of an engine, or of a person's function, is a difference, too."""
    try:
        return check()
    except Exception as error:
        return Difference("", {}, None, "values", Crash.of(error), "no error", "engine", events or {})


def _smallest(difference: Difference, reports: Reports, check: Check) -> Difference | None:
    """The difference with the fewest events, and then rows of dimensions; None if the check passes on all of them."""
    kind = next(iter(reports))
    own_reports = [
        report
        for report in reports[kind]
        if all(report.get(name, value) == value for name, value in difference.key.items())
    ]
    for candidate in (own_reports, reports[kind]):
        smallest, found = _shrink({**reports, kind: candidate}, kind, check)
        for name in reports if found else ():
            smallest, found = _shrink(smallest, name, check)
        if found:
            return replace(found, events=smallest)
    return None


def _shrink(reports: Reports, kind: str, check: Check) -> tuple[Reports, Difference | None]:
    """Makes the reports of one kind few; without a difference if the check passes on all of them."""

    def attempt(events: Sequence[Arrival]) -> Difference | None:
        candidate = {**reports, kind: events}
        return _attempt(partial(check, candidate), candidate)

    smallest, difference = shrink(reports[kind], attempt)
    return {**reports, kind: smallest}, difference


def _whole_second(newest: datetime) -> datetime:
    """A whole second 90 minutes after a moment."""
    return newest.replace(microsecond=0) + timedelta(minutes=90)
