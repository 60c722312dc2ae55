"""Routes pushes through the code of ``materialize``: converted to the view's types, packed as whole columns, written.

Feast's own code converts pushes to pandas and protobufs, which rounds large integers if one of them is missing, loses
fractions of seconds, and gives keys that are not texts other names.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

import pandas as pd
from feast import FeatureView, utils
from feast.infra.passthrough_provider import PassthroughProvider


def install(store_class: type) -> None:
    """Patches Feast's provider so that pushes to a store class go to ``push``. Idempotent.

    Args:
        store_class: class of online stores that have a ``writer``.
    """
    ingest = PassthroughProvider.ingest_df
    if not hasattr(ingest, "__wrapped__"):
        ingest_async = PassthroughProvider.ingest_df_async
        PassthroughProvider.ingest_df = _wrap_ingest(ingest, store_class)  # type: ignore[method-assign]
        PassthroughProvider.ingest_df_async = _wrap_ingest_async(ingest_async, store_class)  # type: ignore[method-assign]


def _wrap_ingest(ingest: Callable[..., None], store_class: type) -> Callable[..., None]:
    @wraps(ingest)
    def ingest_df(self: PassthroughProvider, feature_view: Any, df: pd.DataFrame, *args: Any, **kwargs: Any) -> None:
        if _uses_packed_store(self, feature_view, store_class):
            push(self, feature_view, df)
        else:
            ingest(self, feature_view, df, *args, **kwargs)

    return ingest_df


def _wrap_ingest_async(ingest: Callable[..., Any], store_class: type) -> Callable[..., Any]:
    @wraps(ingest)
    async def ingest_df_async(
        self: PassthroughProvider, feature_view: Any, df: pd.DataFrame, *args: Any, **kwargs: Any
    ) -> None:
        if _uses_packed_store(self, feature_view, store_class):
            await asyncio.to_thread(push, self, feature_view, df)
        else:
            await ingest(self, feature_view, df, *args, **kwargs)

    return ingest_df_async


def _uses_packed_store(provider: PassthroughProvider, view: Any, store_class: type) -> bool:
    return isinstance(view, FeatureView) and isinstance(provider.online_store, store_class)


def push(provider: Any, view: FeatureView, rows: pd.DataFrame) -> None:
    """Writes pushed rows to the online store.

    Args:
        provider: Feast's provider, with an online store of the patched class.
        view: the view of the rows.
        rows: keys, features and times, with the names of the source or of the view.

    Raises:
        InputError: a column of the view is missing, or a value does not fit its type; nothing is written.
        OnlineUnavailable: Redis does not accept the rows.
    """
    from feature_repo.stores import pushed
    from feature_repo.stores.packed_rows import packed_rows
    from feature_repo.stores.source_path import source_of

    config, table = provider.repo_config, pushed.arrow_table(view, rows)
    table = utils._run_pyarrow_field_mapping(table, source_of(view).field_mapping or {})
    names, values = packed_rows(config, view, pushed.in_view_types(view, table))
    if names:
        provider.online_store.writer(config, view).write(names, values)
