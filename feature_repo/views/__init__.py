"""One module a table of features: its entities and its schema. How it is computed lies in
``transforms/features/`` under the same stem; what is computed per request in ``feature_repo/on_demand/``.
"""

from feast import FeatureView

from feature_repo.views.artist_popularity import artist_popularity
from feature_repo.views.platform_activity import platform_activity
from feature_repo.views.taste import track_taste, user_taste
from feature_repo.views.track_catalogue import track_catalogue
from feature_repo.views.track_popularity import track_popularity
from feature_repo.views.user_artist_affinity import user_artist_affinity
from feature_repo.views.user_history import user_history
from feature_repo.views.user_listening import user_listening
from feature_repo.views.user_profile import user_profile

FEATURE_TABLES: dict[str, FeatureView] = {
    view.name: view
    for view in (
        artist_popularity,
        platform_activity,
        track_catalogue,
        track_popularity,
        track_taste,
        user_artist_affinity,
        user_history,
        user_listening,
        user_profile,
        user_taste,
    )
}
"""Every view that has a table, by name."""
