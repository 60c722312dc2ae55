"""The declaration of a feature table, beside the functions that it declares."""

from feature_repo.feature_table import FeatureTable

__all__ = ["FeatureTable"]
