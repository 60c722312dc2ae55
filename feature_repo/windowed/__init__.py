"""Windowed tables, one declaration a module: all there is to say about them.

The Feast view, the on-demand view of what is finished at the moment of the question, the batch run and the stream
follow from these. Imports no Feast.
"""

from feature_repo.windowed.access_security import access_security
from feature_repo.windowed.account_security import account_security
from feature_repo.windowed.artist_popularity import artist_popularity
from feature_repo.windowed.client_activity import client_activity
from feature_repo.windowed.endpoint_performance import endpoint_performance
from feature_repo.windowed.host_health import host_health
from feature_repo.windowed.host_logs import host_logs
from feature_repo.windowed.platform_activity import platform_activity
from feature_repo.windowed.platform_load import platform_load
from feature_repo.windowed.track_popularity import track_popularity
from feature_repo.windowed.user_artist_affinity import user_artist_affinity
from feature_repo.windowed.user_behavior import user_behavior
from feature_repo.windowed.user_feedback import user_feedback
from feature_repo.windowed.user_history import user_history
from feature_repo.windowed.user_listening import user_listening
from feature_repo.windowed.user_session import user_session
from feature_repo.windows import WindowedTable

WINDOWED: dict[str, WindowedTable] = {
    table.name: table
    for table in (
        access_security,
        account_security,
        artist_popularity,
        client_activity,
        endpoint_performance,
        host_health,
        host_logs,
        platform_activity,
        platform_load,
        track_popularity,
        user_artist_affinity,
        user_behavior,
        user_feedback,
        user_history,
        user_listening,
        user_session,
    )
}
"""Every windowed table, by name."""
