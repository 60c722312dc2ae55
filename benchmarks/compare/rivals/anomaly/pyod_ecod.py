"""ECOD of pyod on windows of eight values, fitted to the part of each series that is for learning."""

from _windows import run
from pyod.models.ecod import ECOD

REQUIREMENTS = ["pyod", "polars", "matplotlib"]

run(ECOD)
