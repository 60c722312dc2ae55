"""What the user who pulls a training set sees of it, by the section ``[access]``; see ``feature_repo.access``.

Refused features are not in the set, masked ones are masked after functions were computed with real values, and rows
that do not pass the conditions of the role, as of their moment, are left out. The same happens online.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.access.compiled import load_access
from feature_repo.access.feast_calls import own_pull
from feature_repo.access.masks import Mask
from feature_repo.access.sight import RowCondition, Sight, sight_of
from feature_repo.access.viewer import local_viewer
from feature_repo.errors import AccessError
from feature_repo.home import Home
from feature_repo.manifest import Service

if TYPE_CHECKING:
    from feast import FeatureStore

TIME = "event_timestamp"


@dataclass
class SetAccess:
    """What the role of this process sees of one training set.

    Attributes:
        sight: what the role sees of the service.
        withheld: number of rows that were left out.
    """

    sight: Sight
    withheld: int = 0

    @classmethod
    def of(cls, home: Home, service: Service) -> "SetAccess | None":
        """Finds what is seen; None if the project has no ``[access]``.

        Raises:
            AccessError: the user of this process has no role, or none that has the service.
            StoreError: the manifest was compiled from another section.
        """
        compiled = load_access(home)
        if compiled is None:
            return None
        return cls(sight_of(compiled, service, local_viewer(compiled.settings, home)))

    @property
    def fields(self) -> dict[str, Any]:
        """What the manifest of the set says of it; nothing if everything is seen."""
        if self.sight.is_whole:
            return {}
        return {"access": self._fields}

    @property
    def _fields(self) -> dict[str, Any]:
        return {"role": self.sight.role, "hidden": self.sight.hidden, "withheld": self.withheld}

    def kept(self, store: "FeatureStore", rows: pl.DataFrame, *, as_known: bool) -> pl.Series:
        """Says of each row whether it is seen, and counts the others.

        Args:
            store: the feature store, for features by which rows are chosen.
            rows: join keys and ``event_timestamp``.
            as_known: whether only values count that were created by then.

        Returns:
            (n,) booleans.
        """
        kept = pl.repeat(True, rows.height, dtype=pl.Boolean(), eager=True)
        for condition in self.sight.conditions:
            values = rows[condition.name] if condition.is_of_key else _feature(store, condition, rows, as_known)
            kept &= values.cast(pl.String).is_in(sorted(condition.values)).fill_null(False)
        self.withheld += rows.height - int(kept.sum())
        return kept

    def applied(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns rows without refused features, and with masked values."""
        masked = [
            _masked(rows[name], mask, self.sight.key) for name, mask in self.sight.masks.items() if name in rows.columns
        ]
        return rows.with_columns(masked).drop(self.sight.refused & set(rows.columns))


def check_model(home: Home, model: str, services: Mapping[str, Service]) -> None:
    """Checks that the role of this process sees all of the features that a model is trained on.

    A model of masked values would meet real ones where it serves, and one of some rows would not know the others.

    Args:
        home: the data folder.
        model: name of the model.
        services: the feature services that it reads, by name.

    Raises:
        AccessError: it does not, or there is no role that has a service.
    """
    for name, service in services.items():
        access = SetAccess.of(home, service)
        if access is not None and not access.sight.is_whole:
            hidden = ", ".join(list(access.sight.hidden)[:3]) or "rows that do not pass its conditions"
            raise AccessError(
                expected=f"a role that sees the features of {name} as they are, to train {model} on them",
                found=f"{access.sight.role}, which does not: {hidden}",
                next_command="declare a service without them; or another role: export REFRAIN_ROLE=…",
            )


def _masked(values: pl.Series, mask: Mask, key: bytes) -> pl.Series:
    """Masks a column, each distinct value once."""
    if mask.kind.name == "null":
        return pl.repeat(None, len(values), dtype=values.dtype, eager=True).alias(values.name)
    distinct = values.unique().drop_nulls()
    masked = pl.Series("masked", mask.apply(distinct.to_list(), key, values.name), dtype=values.dtype, strict=False)
    table = pl.DataFrame({"value": distinct, "masked": masked})
    joined = values.to_frame("value").join(table, on="value", how="left", maintain_order="left")
    return joined["masked"].alias(values.name)


def _feature(store: "FeatureStore", condition: RowCondition, rows: pl.DataFrame, as_known: bool) -> pl.Series:
    """(n,) values of the feature of a condition, as of the moments of rows."""
    view, _, name = condition.name.rpartition("__")
    spine = rows.select(*sorted(condition.keys), TIME).to_arrow()
    with own_pull():
        job = store.get_historical_features(
            entity_df=spine, features=[f"{view}:{name}"], filter_by_created_timestamp=as_known
        )
        return pl.Series(job.to_arrow()[name])
