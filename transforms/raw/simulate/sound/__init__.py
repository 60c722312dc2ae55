"""Songs as sound, whose tempo, beats, key, genre, mood and instruments are known."""
