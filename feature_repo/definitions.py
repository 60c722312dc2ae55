"""The only module that Feast scans; ``.feastignore`` hides the others, whose objects would be found twice."""

from feature_repo.entities import artist, client, endpoint, genre, host, platform, track, user
from feature_repo.on_demand_views import ON_DEMAND_VIEWS
from feature_repo.services import (
    FORECASTS,
    artist_plays_v1,
    artist_text_v1,
    audio_anomaly_v1,
    audio_classifier_v1,
    chart_run_v1,
    experiment_metrics_v1,
    listener_v1,
    metadata_tags_v1,
    performance_anomaly_v1,
    platform_load_v1,
    real_time_recommendation_v1,
    recommendation_v1,
    security_anomaly_v1,
    session_v1,
    skip_v1,
    system_anomaly_v1,
    taste_vectors_v1,
    track_audio_v1,
    track_content_v1,
    track_display_v1,
    track_identity_v1,
    track_plays_v1,
    track_rights_v1,
    track_text_v1,
    track_trend_v1,
    user_anomaly_v1,
    user_behavior_v1,
    user_plays_v1,
    user_segment_v1,
)
from feature_repo.sources import PUSH_SOURCES
from feature_repo.store import refuse_other_home
from feature_repo.views import FEATURE_TABLES

refuse_other_home()

# Feast collects its objects from the module's globals.
globals().update(FEATURE_TABLES)
globals().update({service.name: service for service in FORECASTS.values()})
globals().update(ON_DEMAND_VIEWS)
globals().update({source.name: source for source in PUSH_SOURCES})
