"""The lifecycle of all models: raw data → features → training sets → models → gates → registry → serving, and again.

``MLPipeline`` runs the stages in order. Each is skipped if nothing that it reads has changed (``digests``), and may be
killed at any moment; finished work is reused. ``models`` trains one model, a family or all; ``deploy`` deploys the
champions; ``triggers`` decides when to train again.
"""

from training.pipeline.lifecycle import MLPipeline

__all__ = ["MLPipeline"]
