"""Changes raw columns at random, computes all features anew, and says which ones change."""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.contract import contract_of
from feature_repo.home import Home
from refrain.lineage.graph import Lineage, Node
from tests.refrain.lineage import random_world
from transforms import feature_tables
from transforms.batch.build import build
from transforms.raw.declared import raw_tables


@dataclass(frozen=True)
class Change:
    """A change of one raw column."""

    table: str
    column: str
    how: str

    @property
    def node(self) -> Node:
        return Node("column", f"{self.table}.{self.column}")


@dataclass
class Findings:
    """What changes of raw columns did.

    Attributes:
        missing: changed feature → the changes of the round, none of which is upstream of it.
        fired: pairs of a raw column and a feature that changed with it.
        tried: raw columns that were changed.
    """

    missing: dict[Node, list[Change]] = field(default_factory=dict)
    fired: set[tuple[Node, Node]] = field(default_factory=set)
    tried: set[Node] = field(default_factory=set)


class Perturbation:
    """One random world whose raw columns are changed.

    In a round, one column of each group of raw tables that no view reads together is changed, so that a feature that
    changes tells by which.

    Args:
        home: an empty data folder.
        lineage: the graph that is tested.
        seed: of the world and the changes.
        models: folder of bundles whose champions score texts; None for none.
    """

    def __init__(self, home: Home, lineage: Lineage, seed: int, models: Path | None = None) -> None:
        if models is not None:
            shutil.copytree(models, home.root / "models")
        self.home, self.lineage, self.seed = home, lineage, seed
        self.tables = raw_tables(home)
        self.rows = random_world.draw_world(seed)
        self._raw = home.root / "raw"
        self._kept = home.root / "unchanged"
        random_world.write_world(home, self.rows)
        self._raw.rename(self._kept)
        built = lineage.among(
            node for node in lineage.nodes if node.kind in ("table", "column", "tile", "view", "feature")
        )
        names = contract_of(home).feature_tables.keys()
        features = [node for node in built.of_kind("feature") if node.name.partition(":")[0] in names]
        self.above = {node: set(built.upstream(node)) for node in features if built.upstream(node)}
        self.before = self._features({})

    def declared(self) -> set[tuple[Node, Node]]:
        """All declared pairs of a raw column and a feature that has values, for which some need models."""
        return {
            (source, target)
            for target, above in self.above.items()
            for source in above
            if source.kind == "column" and self.before[target].count("\n") > 1
        }

    def rounds(self, with_table: str = "") -> Iterator[list[Change]]:
        """Yields rounds until every change of every column was made; columns of small groups are changed more often.

        Args:
            with_table: a raw table whose group alone is changed; all groups if empty.
        """
        rng = np.random.default_rng(self.seed)
        groups = [
            [change for table in group for change in self._changes(table)]
            for group in self._groups()
            if not with_table or with_table in group
        ]
        orders = [[group[place] for place in rng.permutation(len(group))] for group in groups]
        for number in range(max(map(len, orders))):
            yield [order[number % len(order)] for order in orders]

    def make(self, changes: list[Change], number: int, findings: Findings) -> None:
        """Makes the changes of one round."""
        changed = {}
        for one in changes:
            rng = np.random.default_rng([self.seed, number])
            table = self.tables[one.table]
            changed[one.table] = random_world.change(table, self.rows[one.table], one.column, one.how, rng)
        after = self._features(changed)
        findings.tried |= {one.node for one in changes}
        for feature, digest in after.items():
            if digest != self.before[feature]:
                sources = [one.node for one in changes if one.node in self.above[feature]]
                findings.fired |= {(source, feature) for source in sources}
                if not sources:
                    findings.missing[feature] = changes

    def _changes(self, table: str) -> list[Change]:
        columns = self.tables[table].columns
        times, required = ("event_timestamp", "created_timestamp"), self.tables[table].required
        return [
            Change(table, column, how)
            for column in columns
            for how in (("move",) * 2 if column in times else ("draw", "permute" if column in required else "null"))
        ]

    def _groups(self) -> list[list[str]]:
        """Raw tables, those together that a feature is made of together."""
        group = {table: {table} for table in self.tables}
        for above in self.above.values():
            joined = {node.whole.name for node in above if node.kind == "column" and node.whole is not None}
            joined = set[str]().union(*(group[table] for table in joined))
            group |= dict.fromkeys(joined, joined)
        return sorted({tuple(sorted(tables)): sorted(tables) for tables in group.values()}.values())

    def _features(self, changed: Mapping[str, pl.DataFrame]) -> dict[Node, str]:
        """Computes all features from the raw tables, some of them changed: feature → what look-ups answer."""
        for folder in ("raw", "features", "tiles"):
            shutil.rmtree(self.home.root / folder, ignore_errors=True)
        shutil.copytree(self._kept, self._raw, copy_function=os.link, ignore=lambda _, names: changed.keys() & names)
        random_world.write_world(self.home, changed)
        build(self.home, random_world.NOW)
        by_view: dict[str, list[Node]] = defaultdict(list)
        for node in self.above:
            by_view[node.name.partition(":")[0]].append(node)
        features = {}
        for name, nodes in by_view.items():
            rows = feature_tables.scan(self.home, name).collect()
            columns = [node.name.partition(":")[2] for node in nodes]
            keys = list(contract_of(self.home).feature_tables[name].join_keys)
            digests = random_world.step_functions(rows, keys, columns)
            features |= {node: digests[column] for node, column in zip(nodes, columns, strict=True)}
        return features
