"""The graph of lineage: what is upstream and downstream, against a naive search, and names that do not exist."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from refrain.lineage.graph import Edge, Lineage, Node

NODES = [Node("feature", f"v{number % 2}:f{number}") for number in range(6)] + [
    Node("view", "v0"),
    Node("view", "v1"),
    Node("service", "s"),
    Node("model", "m"),
]
EDGES = st.lists(st.builds(Edge, st.sampled_from(NODES), st.sampled_from(NODES), st.just("value")), max_size=14)


def _naive(graph: Lineage, start: Node, *, down: bool) -> set[Node]:
    """All that is reached, by single edges between parts, until nothing more is."""

    def parts(node: Node) -> set[Node]:
        return {node, *(other for other in graph.nodes if other.whole == node)}

    pairs = {(source, target) for edge in graph.edges for source in parts(edge.source) for target in parts(edge.target)}
    pairs = pairs if down else {(target, source) for source, target in pairs}
    reached, before = parts(start), set[Node]()
    while reached != before:
        before = set(reached)
        reached |= {target for source, target in pairs if source in reached}
    reached |= {node.whole for node in reached if node.whole is not None}
    return reached - parts(start) - {start.whole}


@given(edges=EDGES, start=st.sampled_from(NODES), down=st.booleans())
def test_the_walk_reaches_what_a_naive_search_reaches(edges: list[Edge], start: Node, down: bool) -> None:
    graph = Lineage(NODES, edges)
    walk = graph.downstream(start) if down else graph.upstream(start)
    assert set(walk) == _naive(graph, start, down=down)


def test_the_depth_bounds_the_walk() -> None:
    nodes = [Node("column", "t.c"), Node("tile", "v.f"), Node("feature", "v:f"), Node("service", "s")]
    graph = Lineage([], [Edge(*pair, "value") for pair in pairwise(nodes)])
    assert nodes[3] not in graph.downstream(nodes[0], depth=2)
    assert graph.downstream(nodes[0])[nodes[3]] == 3


def test_the_whole_stands_for_its_parts() -> None:
    model, service = Node("model", "m"), Node("service", "s")
    one, other = Node("feature", "v:one"), Node("feature", "v:other")
    graph = Lineage([other], [Edge(model, Node("view", "v"), "value"), Edge(one, service, "value")])
    assert set(graph.downstream(model)) == {Node("view", "v"), one, other, service}
    assert set(graph.upstream(other)) == {model}
    assert set(graph.upstream(service)) == {one, Node("view", "v"), model}  # and not the other feature of the view


def test_a_name_is_found_in_each_spelling() -> None:
    graph = Lineage([Node("feature", "v:f"), Node("service", "v")], [])
    assert graph.find("v:f") == graph.find("v__f") == graph.find("feature v:f") == Node("feature", "v:f")
    assert graph.find("service v") == Node("service", "v")
    with pytest.raises(InputError, match="view v, service v"):
        graph.find("v")


def test_an_unknown_name_lists_near_ones() -> None:
    graph = Lineage([Node("column", "plays.ms_played")], [])
    with pytest.raises(
        InputError, match=r"near: plays\.ms_played.*next: refrain lineage show 'column plays\.ms_played'"
    ):
        graph.find("plays.msplayed")
    with pytest.raises(InputError, match="refrain lineage list"):
        graph.find("§")
    with pytest.raises(InputError, match="near: plays"):
        graph.upstream(Node("column", "plays.ms"))
