"""The lineage as one page: tables, views, services, models and versions as columns of a drawing, without scripts."""

from collections import defaultdict

from refrain.lineage.graph import KINDS, Kind, Lineage, Node
from transforms.pure import svg

STAGES: tuple[Kind, ...] = ("table", "view", "service", "model", "version", "alias")
"""Kinds that are drawn, from left to right; the others are drawn through."""
_STEP, _WIDTH, _GAP, _TOP = 22, 190, 70, 40


def draw(lineage: Lineage, node: Node | None = None) -> str:
    """Returns the page, with a drawing and a table of all edges, which says the same to a screen reader.

    Args:
        lineage: of ``lineage_of``.
        node: only what it is made of and part of is drawn; all if None.
    """
    pairs = _pairs(lineage)
    drawn_nodes = {end for pair in pairs for end in pair} | {one for one in lineage.nodes if one.kind == "view"}
    if node is not None:
        near = {node, *lineage.upstream(node), *lineage.downstream(node)}
        drawn_nodes &= near | {one.whole for one in near if one.whole is not None}
        pairs = {pair for pair in pairs if set(pair) <= drawn_nodes}
    title = f"Lineage of {node}" if node is not None else "Lineage"
    facts = [(str(one), *fact) for one in sorted(drawn_nodes) for fact in lineage.facts.get(one, {}).items()]
    caption = "From raw tables on the left to what serves on the right; a path is in the table below as well."
    body = f"<figure class=wide>{_picture(drawn_nodes, pairs, title)}<figcaption>{caption}</figcaption></figure>"
    body += "<h2>Edges</h2>" + svg.table(("made of", "node"), [(str(a), str(b)) for a, b in sorted(pairs)])
    if facts:
        body += "<h2>Digests</h2>" + svg.table(("node", "what", "value"), facts)
    return svg.page(title, body)


def _pairs(lineage: Lineage) -> set[tuple[Node, Node]]:
    """Edges between nodes that are drawn, with those that lead through others in between."""
    pairs = set()
    for target in (node for node in lineage.nodes if node.kind in STAGES):
        own = {target, *lineage.parts(target)}
        pending, visited = set(lineage.upstream(target, 1)) - own, set(own)
        while pending:
            source = pending.pop()
            visited.add(source)
            stage_node = source.whole if source.whole is not None and source.whole.kind in STAGES else source
            if stage_node.kind in STAGES:
                pairs.add((stage_node, target))
            else:
                pending |= set(lineage.upstream(source, 1)) - visited
    return {(source, target) for source, target in pairs if source != target}


def _picture(nodes: set[Node], pairs: set[tuple[Node, Node]], title: str) -> str:
    columns: dict[str, list[Node]] = defaultdict(list)
    for node in sorted(nodes, key=lambda one: (KINDS.index(one.kind), one.name)):
        columns[node.kind].append(node)
    stages = [kind for kind in STAGES if columns[kind]]
    width = len(stages) * (_WIDTH + _GAP)
    height = _TOP + _STEP * max((len(columns[kind]) for kind in stages), default=1) + 10
    places = {
        node: (stage * (_WIDTH + _GAP), _TOP + row * _STEP)
        for stage, kind in enumerate(stages)
        for row, node in enumerate(columns[kind])
    }
    parts = [f"<svg viewBox='0 0 {width} {height}' role=img aria-label='{svg.escape(title)}' font-size=11>"]
    for source, target in sorted(pairs):
        if source in places and target in places:
            (left, top), (right, bottom) = places[source], places[target]
            start, middle = left + _WIDTH, (left + _WIDTH + right) / 2
            way = f"M{start} {top} C{middle:.0f} {top} {middle:.0f} {bottom} {right} {bottom}"
            parts.append(f"<path d='{way}' fill=none stroke={svg.COLOURS[0]!r} stroke-opacity=.35></path>")
    for stage, kind in enumerate(stages):
        parts.append(f"<text x={stage * (_WIDTH + _GAP)} y=14 font-weight=600 fill=currentColor>{kind}</text>")
    for node, (left, top) in places.items():
        name = svg.escape(node.name)
        parts.append(f"<text x={left + 4} y={top + 4} fill=currentColor>{name}<title>{svg.escape(node)}</title></text>")
    return "".join(parts) + "</svg>"
