"""The vocabulary of Spotify's closed ``audio-features`` endpoint, from sound, each value with a confidence.

``track_features`` is a pure function of what is stored of a sound: the features of view ``track_audio`` and the
loudness of view ``audio_quality``. ``measured`` renames what was measured; ``sound_kind`` says what is heard (speech, a
voice over music, music, a single instrument; which kind of music); ``expectation`` is what Spotify says on average of
such sounds, and by how much its values differ; ``voice`` and ``audience`` are proxies. ``weights`` holds
what was learned, which ``refrain model track-features`` writes.
"""
