"""Audio analysis: pure functions of samples, the same for a folder of masters and for an uploaded file."""
