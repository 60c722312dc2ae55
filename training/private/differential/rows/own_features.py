"""Which features of a service may be learned from: those that one person's rows cannot change in another's.

The guarantee is of a person with all rows. If popularity of tracks were a feature, one person's plays would change the
rows of everybody who plays these tracks, and noise for one person's rows would not hide that. So a feature is taken if
it is made of the person's own events (a windowed table keyed by the person), of a table keyed by the person that one
function makes of raw tables, of public tables, without anybody's key, or of what the request says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.people import PEOPLE
from feature_repo.windows import Rate, WindowedTable
from training.models.tabular import TabularModel
from transforms.raw.declared import raw_tables_of
from transforms.raw.table import RawTable

SHARE = (0.0, 1.0)
"""Bounds of a feature that is a share by its declaration."""


@dataclass(frozen=True)
class OwnFeatures:
    """The features of a service that a private model may learn from.

    Attributes:
        views: names of the views that are taken.
        left_out: view → why it is not.
        bounds: ``view__feature`` → least and largest value, by declaration.
    """

    views: tuple[str, ...]
    left_out: Mapping[str, str]
    bounds: Mapping[str, tuple[float, float]]


def own_features(contract: Contract, model: TabularModel) -> OwnFeatures:
    """Returns the features of a model that depend on one person each. Imports Feast, which takes seconds.

    Raises:
        InputError: the rows of the model are not of people, or no view is left.

    >>> from feature_repo.project import Project
    >>> from training.models.behavior.skip_model import MODEL
    >>> own = own_features(Contract(Project()), MODEL)
    >>> "user_session" in own.views, own.left_out["track_popularity"]
    (True, 'it is made of the rows of others, too')
    """
    check_people(contract, model)
    names = [projection.name for projection in contract.services[model.service].feature_view_projections]
    reasons = {name: _reason(contract, name, model.cluster) for name in names if name not in model.without}
    views = tuple(name for name, reason in reasons.items() if not reason)
    if not views:
        raise InputError(
            expected=f"features of {model.service} of one {model.cluster}'s own rows, or of public tables",
            found=f"none: {', '.join(names)}",
            next_command=f"refrain lineage show {model.service}",
        )
    bounds = {
        f"{name}__{column}": SHARE
        for name in views
        if name in contract.windowed
        for column, (feature, _) in contract.windowed[name].features_by_column.items()
        if isinstance(contract.windowed[name].features[feature], Rate)
    }
    return OwnFeatures(views, {name: reason for name, reason in reasons.items() if reason}, bounds)


def check_people(contract: Contract, model: TabularModel) -> None:
    """Checks that the clusters of a model are people.

    Raises:
        InputError: they are something else.
    """
    if model.cluster not in _people(raw_tables_of(contract)):
        raise InputError(
            expected="a model whose rows are of people, by a key such as user_id or a column marked as personal",
            found=f"{model.name}, whose rows belong together by {model.cluster}",
            next_command="refrain model list --all",
        )


def _people(raw: Mapping[str, RawTable]) -> set[str]:
    """Returns the columns with ids of people: known names, and keys that tables mark as personal."""
    return set(PEOPLE).union(*({name for name in table.key if name in table.personal} for table in raw.values()))


def _reason(contract: Contract, name: str, person: str) -> str:
    """Returns why a view is left out; empty if it is taken."""
    if name in contract.on_demand:
        views = {text.partition("__")[0] for text in contract.on_demand[name].inputs.values() if "__" in text}
        others = sorted(view for view in views if _reason(contract, view, person))
        return f"it reads {', '.join(others)}" if others else ""
    if name in contract.windowed:
        return _of_windowed(contract.windowed[name], person, raw_tables_of(contract))
    table = contract.computed_tables.get(name)
    if table is None:
        return "nothing says which rows it is made of: a model or somebody else writes it"
    if person in contract.views[name].join_keys and len(table.sources) == 1:
        return "" if person in raw_tables_of(contract)[table.source].key else "its raw table is not keyed by the person"
    raw = raw_tables_of(contract)
    others = sorted(source for source in table.sources if _is_of_people(raw[source], _people(raw)))
    return f"it is made of {', '.join(others)}, of several people" if others else ""


def _of_windowed(table: WindowedTable, person: str, raw: Mapping[str, RawTable]) -> str:
    people = _people(raw)
    events = raw[table.source.name]
    if person not in table.keys and _is_of_people(events, people):
        return "it is made of the rows of others, too"
    joined = [one.dimension for one in table.enrich if person not in one.keys]
    others = sorted(one.name for one in joined if people & set(one.columns))
    return f"it is joined with {', '.join(others)}, of other people" if others else ""


def _is_of_people(table: RawTable, people: set[str]) -> bool:
    return bool(table.person) or not people.isdisjoint(table.columns) or bool(table.personal)
