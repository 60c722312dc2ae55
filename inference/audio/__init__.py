"""A sound to answers: meter, rhythm, harmony, spectrum; genre, mood and instruments where a model is promoted."""
