"""Keys and event times of a view's rows: those of a feature table, or of the files of a plain view."""

from typing import TYPE_CHECKING

import polars as pl

from feature_repo.clock import microseconds, now
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.manifest import View
from feature_repo.registered_views import view_named
from feature_repo.stores.key_series import KEY_TYPES
from feature_repo.stores.source_files import is_feature_table
from transforms import feature_tables
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    from feast import FeatureStore

TIME = "event_timestamp"


def view_rows(home: Home, store: "FeatureStore", view: View) -> pl.LazyFrame:
    """Returns the keys of a view, in their declared types, and ``event_timestamp`` in UTC, of all its rows.

    Rows without a key or a time, and rows of plain views after the current moment, are left out.

    Args:
        home: the data folder.
        store: its feature store.
        view: a view of a service.

    Raises:
        StoreError: its files are missing or damaged.
        InputError: the view is a plain one, and the offline store is not the embedded one.
    """
    declared = view_named(store, view.name)
    if is_feature_table(declared):
        return feature_tables.scan(home, view.name).select(*view.join_keys, TIME)
    from feature_repo.stores.offline import AsOfOfflineStoreConfig
    from feature_repo.stores.reading import reading
    from feature_repo.stores.view_histories import histories_of

    if not isinstance(store.config.offline_store, AsOfOfflineStoreConfig):
        raise InputError(
            expected=f"the embedded offline store, which reads the files of the view {view.name}",
            found=str(store.config.offline_store.type),
            next_command="unset REFRAIN_PROFILE",
        )
    history = histories_of(store.config, [declared], [], True)[0]
    schema = {key: KEY_TYPES[dtype] for key, dtype in zip(view.join_keys, view.key_types, strict=True)}
    with reading(history) as reader:
        frames = list(reader.moments(history.keys, until=microseconds(now())))
    rows = pl.concat([pl.DataFrame(schema={**schema, "moment": pl.Int64}), *frames], how="diagonal")
    return rows.lazy().select(*view.join_keys, pl.col("moment").cast(MICROSECONDS_UTC).alias(TIME))
