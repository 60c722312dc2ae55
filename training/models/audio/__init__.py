"""Models of genre, mood and instruments from sound; one algorithm per file, run by ``audio_classifier``."""
