"""What a text says, by the promoted models: one analyzer, and each model alone."""
