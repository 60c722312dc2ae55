"""Feast's provider, with pushes in the types of their view: what the offline store would refuse never comes online."""

from typing import Any

import pandas as pd
import pyarrow as pa
from feast import FeatureView
from feast.infra.passthrough_provider import PassthroughProvider

from feature_repo.errors import InputError
from feature_repo.stores import pushed


class RefrainProvider(PassthroughProvider):
    """Named in feature_store.yaml as ``feature_repo.stores.provider.RefrainProvider``."""

    def ingest_df(self, feature_view: Any, df: pd.DataFrame, field_mapping: dict | None = None) -> None:
        """Write rows online.

        Args:
            feature_view: whose rows.
            df: keys, features and times.
            field_mapping: of an on-demand view.

        Raises:
            InputError: a value does not fit its feature's type; nothing is written.
        """
        super().ingest_df(feature_view, _fitted(feature_view, df), field_mapping)

    async def ingest_df_async(self, feature_view: Any, df: pd.DataFrame, field_mapping: dict | None = None) -> None:
        """As ``ingest_df``."""
        await super().ingest_df_async(feature_view, _fitted(feature_view, df), field_mapping)


def _fitted(view: Any, rows: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(view, FeatureView):
        return rows
    fitted = {}
    for name, dtype in pushed.declared(view, view.features).items():
        if name not in rows.columns or dtype is None:
            continue
        try:
            given = pa.array(rows[name], from_pandas=True)
        except pa.ArrowException as error:
            raise InputError(
                expected=f"values of one type in the column {name!r} that is pushed to the view {view.name}",
                found=f"{(str(error).splitlines() or [''])[0]}; nothing was written",
                next_command=f"convert {name!r} before it is pushed",
            ) from error
        values = pushed.converted(view, name, given, dtype)
        if values is not given:
            fitted[name] = values.to_pandas(types_mapper=pd.ArrowDtype).set_axis(rows.index)
    return rows.assign(**fitted)
