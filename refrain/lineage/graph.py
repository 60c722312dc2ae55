"""A graph of what is made of what: nodes by kind and name, edges by the way in which one node uses another."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

from feature_repo.errors import InputError

Kind = Literal[
    "file", "table", "column", "request", "tile", "view", "feature", "service", "training set", "model", "output",
    "version", "alias", "answer",
]  # fmt: skip
"""Kinds of nodes, from sources to results."""

Use = Literal["value", "group", "filter", "join", "time", "record"]
"""How a node uses its source: as a value that is computed with; as the key that rows are grouped by; as a condition on
rows; as a key by which rows of two tables meet; as a time that says which rows count and when; as a whole, as a run
recorded it."""

KINDS: tuple[Kind, ...] = get_args(Kind)
_SEPARATORS: dict[Kind, tuple[str, Kind]] = {
    "column": (".", "table"),
    "tile": (".", "view"),
    "feature": (":", "view"),
    "output": ("/", "model"),
}
"""Kind of a part → what separates its name from that of its whole, and the kind of the whole."""


@dataclass(frozen=True, order=True)
class Node:
    """A node of the graph.

    Attributes:
        kind: kind of the node.
        name: its name: ``plays.ms_played`` of a raw column, ``user_listening.plays`` of the partial sums (tiles) of a
            feature in all windows, ``user_listening:plays_7d`` of a feature column, ``recommendation/user_taste`` of a
            view that a model writes (its output), ``skip_model:3`` of a version.

    >>> Node("feature", "user_listening:plays_7d").whole
    Node(kind='view', name='user_listening')
    """

    kind: Kind
    name: str

    @property
    def whole(self) -> "Node | None":
        """The table, view or model to which a column, tile, feature or output belongs; None of other nodes."""
        if self.kind not in _SEPARATORS:
            return None
        separator, kind = _SEPARATORS[self.kind]
        return Node(kind, self.name.partition(separator)[0])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, order=True)
class Edge:
    """One node uses another.

    Attributes:
        source: the node that is used.
        target: the node that is made of it.
        use: how it is used.
    """

    source: Node
    target: Node
    use: Use


class Lineage:
    """A graph of lineage.

    A table stands for its columns, a view for its features: an edge from or to the whole is one from or to each part.
    An output of a model has edges of its own, as it may be made of less than the model.

    Args:
        nodes: nodes; those of edges, and the wholes of parts, need not be given.
        edges: edges, in any order, possibly with duplicates.
        facts: node → name and value of what is recorded of it, such as its digest.

    >>> played, plays = Node("column", "plays.ms_played"), Node("feature", "user_listening:listening_ms_7d")
    >>> graph = Lineage([], [Edge(played, plays, "value"), Edge(plays, Node("service", "skip_v1"), "value")])
    >>> [str(node) for node in graph.downstream(played)]
    ['feature user_listening:listening_ms_7d', 'view user_listening', 'service skip_v1']
    >>> played in graph.upstream(Node("service", "skip_v1"))
    True
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        edges: Iterable[Edge],
        facts: Mapping[Node, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self.edges = tuple(sorted(set(edges), key=_edge_order))
        all_nodes = {*nodes, *(edge.source for edge in self.edges), *(edge.target for edge in self.edges)}
        all_nodes |= {node.whole for node in all_nodes if node.whole is not None}
        self.nodes = tuple(sorted(all_nodes, key=_order))
        self.facts = dict(facts)

    def __contains__(self, node: Node) -> bool:
        return node in self._known

    def __or__(self, other: "Lineage") -> "Lineage":
        """Returns the graph of the nodes and edges of both."""
        return Lineage([*self.nodes, *other.nodes], [*self.edges, *other.edges], {**self.facts, **other.facts})

    def of_kind(self, kind: Kind) -> tuple[Node, ...]:
        """Returns the nodes of a kind, by name."""
        return tuple(node for node in self.nodes if node.kind == kind)

    def parts(self, node: Node) -> tuple[Node, ...]:
        """Returns the columns of a table, or the tiles and features of a view; nothing of other nodes."""
        return tuple(self._parts.get(node, ()))

    def upstream(self, node: Node, depth: int | None = None) -> dict[Node, int]:
        """Returns all that a node is made of.

        Args:
            node: a node of the graph.
            depth: greatest number of edges from the node; None for no limit.

        Returns:
            Node → number of edges on the shortest way to it, nearest first, without the node itself and its parts.

        Raises:
            InputError: the graph has no such node; near names are listed.
        """
        return self._walk(node, depth, self._edges_to, lambda edge: edge.source)

    def downstream(self, node: Node, depth: int | None = None) -> dict[Node, int]:
        """Returns all that is made of a node; as ``upstream``.

        Raises:
            InputError: the graph has no such node; near names are listed.
        """
        return self._walk(node, depth, self._edges_from, lambda edge: edge.target)

    def uses(self, source: Node, target: Node) -> tuple[Use, ...]:
        """Returns the ways in which a node uses another directly, itself or as a part of its whole."""
        return tuple(
            dict.fromkeys(edge.use for edge in self._edges_to(target) if edge.source in (source, source.whole))
        )

    def among(self, nodes: Iterable[Node]) -> "Lineage":
        """Returns the graph of some nodes and the edges between them."""
        node_set = set(nodes)
        edges = [edge for edge in self.edges if edge.source in node_set and edge.target in node_set]
        return Lineage(node_set, edges, {node: facts for node, facts in self.facts.items() if node in node_set})

    def to_json(self) -> dict[str, Any]:
        """Returns the graph as JSON holds it: nodes as kind and name, edges by the places of their ends."""
        places = {node: place for place, node in enumerate(self.nodes)}
        return {
            "nodes": [[node.kind, node.name] for node in self.nodes],
            "edges": [[places[edge.source], places[edge.target], edge.use] for edge in self.edges],
            "facts": {places[node]: dict(facts) for node, facts in self.facts.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Lineage":
        """Returns the graph of ``to_json``."""
        nodes = [Node(kind, name) for kind, name in document["nodes"]]
        edges = [Edge(nodes[source], nodes[target], use) for source, target, use in document["edges"]]
        return cls(nodes, edges, {nodes[int(place)]: facts for place, facts in document["facts"].items()})

    def find(self, name: str) -> Node:
        """Returns the node of a name, such as ``plays.ms_played``, ``user_listening:plays_7d`` or ``model skip_model``.

        ``user_listening__plays_7d``, as columns of training sets are named, is the feature too.

        Raises:
            InputError: no node has the name, or several kinds do.
        """
        text = name.strip()
        matches = [node for node in self.nodes if text in (node.name, str(node), f"{node.kind}:{node.name}")]
        if not matches and "__" in text:
            view, _, feature = text.partition("__")
            matches = [node for node in [Node("feature", f"{view}:{feature}")] if node in self]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InputError(
                expected=f"one node of the name {text!r}",
                found=", ".join(map(str, matches)),
                next_command=f"refrain lineage show '{matches[0]}'",
            )
        raise self.unknown(text)

    def unknown(self, name: str) -> InputError:
        """Returns the error for a name that no node has; it lists near names."""
        names = {node.name: node for node in self.nodes}
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        near += [other for other in names if name and name in other and other not in near][: 5 - len(near)]
        nearest = f"; near: {', '.join(near)}" if near else ""
        return InputError(
            expected=f"a node of the lineage, such as plays.ms_played or user_listening:plays_7d{nearest}",
            found=repr(name),
            next_command=f"refrain lineage show '{names[near[0]]}'" if near else "refrain lineage list",
        )

    def _walk(
        self,
        start: Node,
        depth: int | None,
        edges_at: "Callable[[Node], Iterator[Edge]]",
        other_end: Callable[[Edge], Node],
    ) -> dict[Node, int]:
        if start not in self:
            raise self.unknown(start.name)
        start_nodes = {start, *self.parts(start)}
        distances = dict.fromkeys(start_nodes, 0)
        frontier, distance = start_nodes, 0
        while frontier and (depth is None or distance < depth):
            distance += 1
            next_nodes = {other_end(edge) for node in frontier for edge in edges_at(node)}
            next_nodes |= {part for node in next_nodes for part in self.parts(node) if part.kind != "output"}
            frontier = next_nodes - distances.keys()
            distances |= dict.fromkeys(frontier, distance)
        for node, steps in list(distances.items()):
            if node.whole is not None and node.whole != start:
                distances[node.whole] = min(steps, distances.get(node.whole, steps))
        others = distances.keys() - start_nodes - {start.whole}
        return {node: distances[node] for node in sorted(others, key=lambda node: (distances[node], *_order(node)))}

    def _edges_to(self, node: Node) -> Iterator[Edge]:
        yield from self._to.get(node, ())
        if node.whole is not None and node.kind != "output":
            yield from self._to.get(node.whole, ())

    def _edges_from(self, node: Node) -> Iterator[Edge]:
        yield from self._from.get(node, ())
        if node.whole is not None and node.kind != "output":
            yield from self._from.get(node.whole, ())

    @cached_property
    def _known(self) -> frozenset[Node]:
        return frozenset(self.nodes)

    @cached_property
    def _parts(self) -> dict[Node, list[Node]]:
        parts = defaultdict(list)
        for node in self.nodes:
            if node.whole is not None:
                parts[node.whole].append(node)
        return dict(parts)

    @cached_property
    def _to(self) -> dict[Node, list[Edge]]:
        return _by(self.edges, lambda edge: edge.target)

    @cached_property
    def _from(self) -> dict[Node, list[Edge]]:
        return _by(self.edges, lambda edge: edge.source)


def _order(node: Node) -> tuple[int, str]:
    return KINDS.index(node.kind), node.name


def _edge_order(edge: Edge) -> tuple[str, ...]:
    """The order of edges as plain texts, which compare ten times as fast as dataclasses."""
    return edge.source.kind, edge.source.name, edge.target.kind, edge.target.name, edge.use


def _by(edges: Iterable[Edge], end: Callable[[Edge], Node]) -> dict[Node, list[Edge]]:
    groups = defaultdict(list)
    for edge in edges:
        groups[end(edge)].append(edge)
    return dict(groups)
