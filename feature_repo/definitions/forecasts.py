"""The stored forecasts; each is a feature view (``views/forecast.py``) with a service of its own."""

FORECASTS: dict[str, tuple[str, str]] = {
    "track_streams_forecast": ("track", "Plays of a track a day"),
    "artist_streams_forecast": ("artist", "Plays of an artist a day"),
    "genre_streams_forecast": ("genre", "Plays of a genre a day"),
    "platform_streams_forecast": ("platform", "Plays of everybody a day"),
    "platform_load_forecast": ("platform", "Plays of everybody an hour; upper_95 is what to be ready for"),
    "track_chart_forecast": ("track", "Place on the weekly chart if it is on it; chance is that it is"),
    "user_activity_forecast": ("user", "Plays of a listener in the days to come; chance is that there are none"),
}
"""View → the name of its entity, and a description of the forecast."""
