"""Pushes to our online store go the way of ``materialize``: fitted to their view, packed as whole columns, written.

Feast's own way makes pandas and protobufs of them, in which large integers are rounded when one of them is missing,
fractions of seconds are lost, and keys that are no texts get other names.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

import pandas as pd
from feast import FeatureView, utils
from feast.infra.passthrough_provider import PassthroughProvider


def install(store_class: type) -> None:
    """Have Feast's provider hand pushes to stores of a class as they come. Again does nothing.

    Args:
        store_class: online stores with a ``writer``.
    """
    ingest = PassthroughProvider.ingest_df
    if not hasattr(ingest, "__wrapped__"):
        beside = PassthroughProvider.ingest_df_async
        PassthroughProvider.ingest_df = _packing(ingest, store_class)  # type: ignore[method-assign]
        PassthroughProvider.ingest_df_async = _packing_beside(beside, store_class)  # type: ignore[method-assign]


def _packing(ingest: Callable[..., None], store_class: type) -> Callable[..., None]:
    @wraps(ingest)
    def ingest_df(self: PassthroughProvider, feature_view: Any, df: pd.DataFrame, *more: Any, **named: Any) -> None:
        if _is_ours(self, feature_view, store_class):
            push(self, feature_view, df)
        else:
            ingest(self, feature_view, df, *more, **named)

    return ingest_df


def _packing_beside(ingest: Callable[..., Any], store_class: type) -> Callable[..., Any]:
    @wraps(ingest)
    async def ingest_df_async(
        self: PassthroughProvider, feature_view: Any, df: pd.DataFrame, *more: Any, **named: Any
    ) -> None:
        if _is_ours(self, feature_view, store_class):
            await asyncio.to_thread(push, self, feature_view, df)
        else:
            await ingest(self, feature_view, df, *more, **named)

    return ingest_df_async


def _is_ours(provider: PassthroughProvider, view: Any, store_class: type) -> bool:
    return isinstance(view, FeatureView) and isinstance(provider.online_store, store_class)


def push(provider: Any, view: FeatureView, rows: pd.DataFrame) -> None:
    """Write rows online.

    Args:
        provider: Feast's, with a store of ours.
        view: whose rows.
        rows: keys, features and times, under the names of the source or of the view.

    Raises:
        InputError: a column of the view is missing, or a value does not fit its type; nothing is written.
        OnlineUnavailable: Redis does not take the rows.
    """
    from feature_repo.stores import pushed
    from feature_repo.stores.packed_rows import packed_rows
    from feature_repo.stores.source_path import source_of

    config, table = provider.repo_config, pushed.arrow_table(view, rows)
    table = utils._run_pyarrow_field_mapping(table, source_of(view).field_mapping or {})
    names, values = packed_rows(config, view, pushed.in_view_types(view, table))
    if names:
        provider.online_store.writer(config, view).write(names, values)
