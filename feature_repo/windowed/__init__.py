"""Windowed tables, one complete declaration per module.

The Feast view, the on-demand view of features that depend on the moment of the request, the batch run and the stream
are derived from these declarations. Imports no Feast.
"""

from feature_repo.discovery import definitions
from feature_repo.windows import WindowedTable

WINDOWED: dict[str, WindowedTable] = definitions(__name__, WindowedTable)
"""All windowed tables, by name."""
