"""IForest of pyod on windows of eight values, fitted to the part of each series that is for learning."""

from _windows import run
from pyod.models.iforest import IForest

REQUIREMENTS = ["pyod", "polars", "matplotlib"]

run(lambda: IForest(random_state=0))
