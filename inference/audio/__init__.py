"""Audio analysis: loudness, rhythm, harmony, spectrum; genre, mood and instruments if a model is promoted."""
