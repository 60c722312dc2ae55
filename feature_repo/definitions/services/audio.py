"""Services of sound."""

from feature_repo.service import service

SERVICES = (
    service(
        "track_audio_v1",
        "How a track sounds: rhythm, harmony, dynamics, timbre",
        "track_audio",
    ),
    service(
        "track_features_v1",
        "What Spotify's audio-features said of a track, from its sound, each value with a confidence",
        "track_features",
    ),
    service(
        "audio_classifier_v1",
        "What genre, mood and instruments are told from: how a track sounds",
        "track_audio: tempo tempo_confidence meter_confidence pulse_clarity onset_rate key mode "
        "key_confidence dynamic_range level crossings centroid bandwidth roll_off flatness timbre chroma "
        "tonnetz tonal_balance",
        predicts="genre, mood, valence, arousal, instruments",
    ),
)
