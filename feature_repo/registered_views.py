"""The views of the registry with rows of their own: batch views and stream views."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView, Field


def views_of(store: "FeatureStore") -> "list[FeatureView]":
    """Returns all views of the registry with rows of their own: batch views, then stream views.

    Feast parses all of them anew at each call.
    """
    return [*store.list_batch_feature_views(), *store.list_stream_feature_views()]


def view_named(store: "FeatureStore", name: str) -> "FeatureView":
    """Returns one view of the registry, a batch view or a stream view."""
    from feast.errors import FeatureViewNotFoundException

    try:
        return store.get_feature_view(name)
    except FeatureViewNotFoundException:
        return store.get_stream_feature_view(name)


def features_of(view: "FeatureView") -> "list[Field]":
    """Returns the features of a view of the registry; Feast 0.67 lists the keys of a stream view among them, too."""
    keys = {column.name for column in view.entity_columns}
    return [feature for feature in view.features if feature.name not in keys]
