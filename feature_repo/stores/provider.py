"""Feast's provider, whose pushes go the way of ``materialize``: fitted to their view, packed as whole columns, written.

Feast's own way makes pandas and protobufs of them, in which large integers are rounded when one of them is missing,
fractions of seconds are lost, and keys that are no texts get other names.
"""

import asyncio
from typing import Any

import pandas as pd
from feast import FeatureView, utils
from feast.infra.passthrough_provider import PassthroughProvider

from feature_repo.stores import pushed
from feature_repo.stores.online import PackedRedisOnlineStore
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.source_path import source_of


class RefrainProvider(PassthroughProvider):
    """Named in feature_store.yaml as ``feature_repo.stores.provider.RefrainProvider``."""

    def ingest_df(self, feature_view: Any, df: pd.DataFrame, field_mapping: dict | None = None) -> None:
        """Write rows online.

        Args:
            feature_view: whose rows.
            df: keys, features and times.
            field_mapping: of an on-demand view.

        Raises:
            InputError: a column of the view is missing, or a value does not fit its type; nothing is written.
            OnlineUnavailable: Redis does not take the rows.
        """
        store = self.online_store
        if not (isinstance(feature_view, FeatureView) and isinstance(store, PackedRedisOnlineStore)):
            super().ingest_df(feature_view, df, field_mapping)
            return
        table = pushed.arrow_table(feature_view, df)
        table = utils._run_pyarrow_field_mapping(table, source_of(feature_view).field_mapping or {})
        names, values = packed_rows(self.repo_config, feature_view, pushed.in_view_types(feature_view, table))
        if names:
            store.writer(self.repo_config, feature_view).write(names, values)

    async def ingest_df_async(self, feature_view: Any, df: pd.DataFrame, field_mapping: dict | None = None) -> None:
        """The same beside the event loop, in a thread."""
        await asyncio.to_thread(self.ingest_df, feature_view, df, field_mapping)
