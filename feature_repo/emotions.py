"""What emotions a text is told apart by: Ekman's six (1992), love, and none of them."""

EMOTIONS = ("anger", "disgust", "fear", "joy", "love", "neutral", "sadness", "surprise")
