"""Genre, mood and instruments from features of sound; one algorithm a file, ``audio_classifier`` runs them."""
