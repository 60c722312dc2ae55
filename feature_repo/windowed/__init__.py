"""Windowed tables, one declaration a module: all there is to say about them.

The Feast view, the on-demand view of what is finished at the moment of the question, the batch run and the stream
follow from these. Imports no Feast.
"""

from feature_repo.discovery import definitions
from feature_repo.windows import WindowedTable

WINDOWED: dict[str, WindowedTable] = definitions(__name__, WindowedTable)
"""Every windowed table, by name."""
