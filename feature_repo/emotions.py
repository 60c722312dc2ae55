"""Emotion classes of texts: Ekman's six (1992), love, and neutral."""

EMOTIONS = ("anger", "disgust", "fear", "joy", "love", "neutral", "sadness", "surprise")
