"""Which tables hold nothing personal, for ``tables = "personal"`` in ``[encryption]`` of ``refrain.toml``."""

from feature_repo import clock
from feature_repo.home import Home
from refrain.compliance.facts import Facts


def plain_tables(home: Home) -> tuple[str, ...]:
    """Lists the tables that may stay plain: no column of them is personal, or made of one that is.

    A table that is not listed is encrypted, so that one of a later definition is, too.

    Returns:
        Names as ``raw/<table>``, ``features/<view>``, sorted.

    >>> plain_tables(Home.from_env())                                                   # doctest: +SKIP
    ('cursors/tracks', 'quarantine/tracks', 'raw/tracks')
    """
    facts = Facts(home, clock.now())
    personal_tables = set(facts.marks.tables())
    inherited = facts.marks.inherited(facts.lineage, "personal")
    personal_views = {node.name.split(".")[0] for node in inherited if node.kind in ("view", "feature")}
    views = facts.contract.views
    plain_views = {
        name
        for name, view in views.items()
        if name not in personal_views and not {column.name for column in view.schema} & facts.marks.keys
    }
    raw = {
        f"{kind}/{name}" for name in set(facts.tables) - personal_tables for kind in ("raw", "quarantine", "cursors")
    }
    return tuple(sorted(raw | {f"{kind}/{name}" for name in plain_views for kind in ("features", "tiles")}))
