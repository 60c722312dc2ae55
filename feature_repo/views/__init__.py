"""Feast views, by hand where a table is what somebody told us, by declaration where it is windowed
(``feature_repo/windowed/``); what is computed per request lies in ``feature_repo/on_demand/``.
"""

from feast import FeatureView

from feature_repo.views.audio_quality import audio_quality
from feature_repo.views.baseline import endpoint_baseline, host_baseline
from feature_repo.views.chart import artist_chart, track_chart
from feature_repo.views.content import track_content, user_content
from feature_repo.views.forecast import FORECAST_VIEWS
from feature_repo.views.taste import artist_taste, track_taste, user_taste
from feature_repo.views.text import artist_text, track_text
from feature_repo.views.track_audio import track_audio
from feature_repo.views.track_catalogue import track_catalogue
from feature_repo.views.track_identity import track_identity
from feature_repo.views.user_profile import user_profile
from feature_repo.views.windowed import WINDOWED_VIEWS

_BY_HAND = (
    artist_chart,
    artist_taste,
    artist_text,
    audio_quality,
    endpoint_baseline,
    host_baseline,
    track_audio,
    track_catalogue,
    track_chart,
    track_content,
    track_identity,
    track_taste,
    track_text,
    user_content,
    user_profile,
    user_taste,
)
FEATURE_TABLES: dict[str, FeatureView] = {
    view.name: view for view in (*WINDOWED_VIEWS.values(), *FORECAST_VIEWS.values(), *_BY_HAND)
}
"""Every view that has a table, by name."""
