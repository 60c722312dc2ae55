"""The lifecycle of all models: raw data → features → training sets → models → gates → registry → serving, and again.

``MLPipeline`` runs the stages in order; each is skipped where nothing that it reads has changed (``digests``), and may
be killed at any moment: what was done is found again. ``models`` trains one model, a family or all; ``deploy`` puts
champions where they answer; ``triggers`` says when to train again.
"""

from training.pipeline.lifecycle import MLPipeline

__all__ = ["MLPipeline"]
