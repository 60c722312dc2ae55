"""KNN of pyod on windows of eight values, fitted to the part of each series that is for learning."""

from _windows import run
from pyod.models.knn import KNN

REQUIREMENTS = ["pyod", "polars", "matplotlib"]

run(KNN)
