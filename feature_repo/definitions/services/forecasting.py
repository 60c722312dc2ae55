"""Services of forecasts: histories, and states at the origin of a forecast."""

from feature_repo.definitions.forecasts import FORECASTS
from feature_repo.service import service

SERVICES = (
    service(
        "chart_run_v1",
        "A title on a weekly chart: its places so far, and its artist's; for how its run goes on",
        "track_chart",
        "artist_chart",
        predicts="rank",
    ),
    service(
        "track_plays_v1",
        "Plays of a track on the day before: asked for at every midnight, its history",
        "track_popularity: plays_1d",
    ),
    service(
        "artist_plays_v1",
        "Plays of an artist on the day before",
        "artist_popularity: plays_1d",
    ),
    service(
        "user_plays_v1",
        "Plays of a listener on the day before",
        "user_listening: plays_1d",
        purpose="analytics",
    ),
    service(
        "platform_load_v1",
        "Plays of everybody in the hour before: asked for at every hour, the load",
        "platform_load",
    ),
    service(
        "track_trend_v1",
        "A track at the origin of a forecast: how it is heard, how old it is, how its artist and all do",
        "track_popularity: plays_28d listeners_{7d,28d} skip_rate_28d",
        "artist_popularity: plays_{7d,28d} listeners_28d",
        "platform_activity: plays_{7d,28d}",
        "track_catalogue: artist_id genres explicit released",
        predicts="plays",
    ),
)

STORED = tuple(
    service(f"{view}_v1", description, view, purpose="analytics" if view.startswith("user_") else "")
    for view, (_, description) in FORECASTS.items()
)
"""Services of the stored forecasts, one per view."""
