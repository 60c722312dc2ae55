"""Lineage from declarations alone: raw column → tile → feature column → service → model, and back to features.

Windowed tables and on-demand functions say what they read. A table of one function has the raw columns of its features
in its view (``columns=`` of ``feature_repo.sources.feature_table``); without them each feature is made of all columns
of its raw tables. Models say which services and raw tables they read, and which views they write.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.on_demand import OnDemand
from feature_repo.sources import RAW_COLUMNS
from feature_repo.windows import Aggregate, Conditional, Ratio, WindowedTable, moment
from refrain.lineage.graph import Edge, Lineage, Node, Use
from transforms.batch.build import TEXTS, WRITTEN
from transforms.raw.declared import raw_tables_of
from transforms.raw.table import RawTable

if TYPE_CHECKING:
    from feast import FeatureView

    from training.models.base import Model

TIMES = ("event_timestamp", "created_timestamp")


def declared_lineage(contract: Contract, models: "Mapping[str, Model] | None" = None) -> Lineage:
    """Returns the lineage that follows from the definitions of a project. Imports Feast, which takes seconds.

    Args:
        contract: the definitions.
        models: name → model; those of the definitions if None.

    Raises:
        InputError: a declaration names a raw column that does not exist.

    >>> from feature_repo.project import Project
    >>> lineage = declared_lineage(Contract(Project()))
    >>> plays = lineage.find("user_listening:plays_7d")
    >>> [node.name for node in lineage.upstream(plays) if node.kind == "column"]
    ['plays.created_timestamp', 'plays.event_timestamp', 'plays.user_id']
    """
    if models is None:
        from training.models.base import Model

        models = contract.find(Model, "models")  # type: ignore[type-abstract]
    raw = raw_tables_of(contract)
    nodes = [column(name, of) for name, table in raw.items() for of in table.columns]
    edges: list[Edge] = []
    for table in contract.windowed.values():
        edges += _windowed(table, raw)
    for name, view in contract.views.items():
        nodes += [feature(name, field.name) for field in view.features]
        nodes.append(Node("view", name))
        sources = _sources(contract, view)
        if sources and name not in contract.windowed:
            edges += _of_one_function(contract, view, sources, raw)
    for function in contract.on_demand.values():
        edges += _on_demand(contract, function)
    edges += _feast_on_demand(contract)
    edges += _services(contract)
    for model in models.values():
        edges += _model(model)
        nodes.append(Node("model", model.name))
    return Lineage(nodes, edges)


def column(table: str, name: str) -> Node:
    """Returns the node of a raw column."""
    return Node("column", f"{table}.{name}")


def feature(view: str, name: str) -> Node:
    """Returns the node of a feature column."""
    return Node("feature", f"{view}:{name}")


def _windowed(table: WindowedTable, raw: Mapping[str, RawTable]) -> Iterator[Edge]:
    """Yields the edges of a windowed table: raw columns → tile of a feature in all windows → its columns."""
    rows: list[tuple[Node, Use]] = [(column(table.source.name, name), "time") for name in TIMES]
    for key in table.keys:
        rows += _event_column(table, key, "group")
    for name in table.where.columns if table.where is not None else ():
        rows += _event_column(table, name, "filter")
    for name, aggregate in table.features.items():
        if isinstance(aggregate, Ratio):
            continue
        tile = Node("tile", f"{table.name}.{name}")
        sources = [*rows, *_read_by(table, aggregate)]
        yield from (Edge(node, tile, use) for node, use in sources if _exists(node, raw))
    for name, (aggregate_name, _) in table.features_by_column.items():
        aggregate = table.features[aggregate_name]
        parts = (aggregate.numerator, aggregate.denominator) if isinstance(aggregate, Ratio) else (aggregate_name,)
        for part in parts:
            yield Edge(Node("tile", f"{table.name}.{part}"), feature(table.name, name), "value")


def _read_by(table: WindowedTable, aggregate: Aggregate) -> Iterator[tuple[Node, Use]]:
    """Yields the raw columns that one feature reads, beside those on which the rows of its table depend."""
    if aggregate.of is not None:
        yield from _event_column(table, aggregate.of, "value")
    if isinstance(aggregate, Conditional) and aggregate.where is not None:
        for name in aggregate.where.columns:
            yield from _event_column(table, name, "filter")


def _event_column(table: WindowedTable, name: str, use: Use) -> Iterator[tuple[Node, Use]]:
    """Yields the raw column behind a column of the enriched events, and those by which it is joined."""
    source, of = table.origin(name)
    yield column(source.name, of), use
    for enrich in table.enrich:
        if name in enrich.columns:
            yield from ((column(source.name, key), "join") for key in (*enrich.keys.values(), *TIMES))
            for joined in enrich.keys:
                yield from _event_column(table, joined, "join")


def _exists(node: Node, raw: Mapping[str, RawTable]) -> bool:
    """Whether a column is reported; one that all events share, such as the tenant, is not."""
    table, _, name = node.name.partition(".")
    return name in raw[table].columns


def _sources(contract: Contract, view: "FeatureView") -> tuple[str, ...]:
    """Returns the raw tables that the function behind a view takes; none of a view that others write."""
    if view.name in contract.computed_tables:
        return contract.computed_tables[view.name].sources
    return WRITTEN if view.name in TEXTS else ()


def _of_one_function(
    contract: Contract, view: "FeatureView", sources: tuple[str, ...], raw: Mapping[str, RawTable]
) -> Iterator[Edge]:
    """Yields the edges of a table that one function computes from whole raw tables."""
    values = {field.name: (field.tags or {}).get(RAW_COLUMNS) for field in view.features}
    rows = _columns(view, (view.tags or {}).get(RAW_COLUMNS, ""), sources, raw)
    columns = {name: _columns(view, text, sources, raw) for name, text in values.items() if text is not None}
    named_tables = {table for table, _ in [*rows, *(pair for pairs in columns.values() for pair in pairs)]}
    whole_tables = set(sources) - named_tables if view.name not in TEXTS else set[str]()
    for name in values:
        target = feature(view.name, name)
        for table in sorted(named_tables if name in columns else ()):
            yield from (
                Edge(column(table, key), target, "group") for key in view.join_keys if key in raw[table].columns
            )
            yield from (Edge(column(table, time), target, "time") for time in TIMES)
        yield from (Edge(column(*pair), target, "filter") for pair in rows)
        yield from (Edge(column(*pair), target, "value") for pair in columns.get(name, ()))
        for table in sorted(whole_tables if name in columns else set(sources)):
            yield from (Edge(column(table, of), target, "value") for of in raw[table].columns)


def _columns(
    view: "FeatureView", text: str, sources: Iterable[str], raw: Mapping[str, RawTable]
) -> list[tuple[str, str]]:
    """Returns table and column of each raw column that a view names.

    Raises:
        InputError: there is no such column, or the function does not take its table.
    """
    pairs = []
    for name in text.split():
        table, _, of = name.partition(".")
        if table not in sources or of not in raw[table].columns:
            raise InputError(
                expected=f"raw columns of {', '.join(sources)} in columns= and rows= of the view {view.name}",
                found=repr(name),
                next_command=f"correct the declaration of {view.name}, then: refrain apply",
            )
        pairs.append((table, of))
    return pairs


def _on_demand(contract: Contract, function: OnDemand) -> Iterator[Edge]:
    """Yields the edges of an on-demand function; of one that finishes a windowed table, feature by feature."""
    table = next((one for one in contract.windowed.values() if moment.name_of(one) == function.name), None)
    for output in function.outputs:
        inputs = set(function.inputs.values())
        if table is not None:
            own = {f"{table.name}__{name}" for name, _ in table.features[output].fields(output, "", "")}
            inputs = {name for name in inputs if name in own or "__" not in name}
        for name in inputs:
            view, _, of = name.partition("__")
            source = feature(view, of) if of else Node("request", name)
            yield Edge(source, feature(function.name, output), "value")


def _feast_on_demand(contract: Contract) -> Iterator[Edge]:
    """Yields the edges of on-demand views that are declared as Feast's own objects: all inputs to all outputs."""
    for name, view in contract.on_demand_views.items():
        if name in contract.on_demand:
            continue
        inputs = [
            feature(projection.name, field.name)
            for projection in view.source_feature_view_projections.values()
            for field in projection.features
        ]
        inputs += [
            Node("request", field.name) for source in view.source_request_sources.values() for field in source.schema
        ]
        yield from (Edge(source, feature(name, field.name), "value") for source in inputs for field in view.features)


def _services(contract: Contract) -> Iterator[Edge]:
    for name, service in contract.services.items():
        for projection in service.feature_view_projections:
            target = Node("service", name)
            if not projection.features:  # Feast infers them from the files
                yield Edge(Node("view", projection.name), target, "value")
            yield from (Edge(feature(projection.name, field.name), target, "value") for field in projection.features)


def _model(model: "Model") -> Iterator[Edge]:
    node = Node("model", model.name)
    all_sources = [*(Node("service", name) for name in model.services), *(Node("table", name) for name in model.raw)]
    yield from (Edge(source, node, "value") for source in all_sources)
    for view in model.writes:
        output = Node("output", f"{model.name}/{view}")
        sources = [_named(name, model) for name in model.made_of[view]] if view in model.made_of else all_sources
        yield from (Edge(source, output, "value") for source in sources)
        yield Edge(output, Node("view", view), "value")
    yield from (Edge(node, Node("view", view), "value") for view in model.feeds)


def _named(name: str, model: "Model") -> Node:
    """Returns the service, raw table or raw column that a view of a model is made of, one of those that it reads.

    Raises:
        InputError: the model does not read it.
    """
    table, _, of = name.partition(".")
    if name in model.services:
        return Node("service", name)
    if table in model.raw:
        return column(table, of) if of else Node("table", table)
    raise InputError(
        expected=f"services, raw tables and columns that {model.name} reads, in made_of=",
        found=repr(name),
        next_command=f"name it in services= or raw= of {model.name}, too",
    )
