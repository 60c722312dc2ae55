"""Text analysis by the promoted models: an analyzer for all of them, and a class for each model."""
