"""Marks of features for ``[access]``: what lineage passes on from marked raw columns, and marks of fields.

Every feature of a view with a person's join key is personal, also where a model wrote it; so is what functions
make of them.
"""

from feature_repo.contract import Contract
from refrain.compliance.marks import Mark, Marks, made_of
from refrain.lineage.declared import declared_lineage, feature
from transforms.raw.declared import raw_tables_of

TAG = "marks"
"""Tag of a field with marks of its own, separated by spaces."""


def marks_of(contract: Contract) -> dict[str, list[str]]:
    """Returns feature as ``view:feature`` → its marks, of those that have one. Imports Feast, which takes seconds.

    Raises:
        InputError: a declaration names a raw column that does not exist.

    >>> from feature_repo.project import Project
    >>> marks = marks_of(Contract(Project()))
    >>> marks["user_profile:gender"], marks.get("track_catalogue:title")
    (['personal', 'sensitive'], None)
    """
    lineage, marks = declared_lineage(contract, {}), Marks.of(raw_tables_of(contract))
    marks_by_feature: dict[str, set[str]] = {}
    names: tuple[Mark, ...] = ("personal", "sensitive")
    for mark in names:
        for node in marks.inherited(lineage, mark):
            if node.kind == "feature":
                marks_by_feature.setdefault(node.name, set()).add(mark)
    for view in contract.views.values():
        is_of_people = not marks.keys.isdisjoint(view.join_keys)
        for field in view.features:
            own = {*(field.tags or {}).get(TAG, "").split(), *(("personal",) if is_of_people else ())}
            source = feature(view.name, field.name)
            for node in {source, *made_of(lineage, source)} if own else ():
                if node.kind == "feature":
                    marks_by_feature.setdefault(node.name, set()).update(own)
    return {name: sorted(of) for name, of in sorted(marks_by_feature.items())}
