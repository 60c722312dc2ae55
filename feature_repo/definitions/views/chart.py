"""History on weekly charts, of a title and of an artist's titles."""

from feast import Field
from feast.types import Array, Int64, String

from feature_repo.definitions.entities import artist, track
from feature_repo.sources import feature_table

track_chart = feature_table(
    "track_chart",
    entities=[track],
    schema=[
        Field(name="chart", dtype=String),
        Field(
            name="ranks_13w",
            dtype=Array(Int64),
            description="places on the last 13 charts, the newest last; 0 if not on it, -1 for a missing chart",
        ),
        Field(name="peak", dtype=Int64, description="best place so far"),
        Field(name="weeks", dtype=Int64, description="charts that it was on so far"),
        Field(name="runs", dtype=Int64, description="how often it came on, counting the first time"),
        Field(name="first_charted", dtype=Int64, description="date of its first chart, microseconds since 1970"),
        Field(name="last_charted", dtype=Int64, description="date of its newest chart, microseconds since 1970"),
        Field(name="peaked", dtype=Int64, description="date of the first chart with its best place"),
        Field(
            name="year_ago_1w", dtype=Int64, description="its place 52 weeks before the next chart, 0 and -1 as above"
        ),
        Field(name="year_ago_4w", dtype=Int64, description="likewise for the chart 4 weeks ahead"),
        Field(name="year_ago_13w", dtype=Int64, description="likewise for the chart 13 weeks ahead"),
    ],
    description="Places of one title on its weekly chart, as of a chart",
    columns={
        **dict.fromkeys(("ranks_13w", "peak", "peaked", "year_ago_*"), "chart_entries.rank"),
        "*": "",
    },
    rows="chart_entries.chart",
)

artist_chart = feature_table(
    "artist_chart",
    entities=[artist],
    schema=[
        Field(name="singles", dtype=Int64, description="titles on the newest Hot 100"),
        Field(name="best_single", dtype=Int64, description="the best of their places, 0 without any"),
        Field(name="albums", dtype=Int64, description="albums on the newest Billboard 200"),
        Field(name="best_album", dtype=Int64, description="the best of their places, 0 without any"),
        Field(name="titles", dtype=Int64, description="different titles that were ever on a chart"),
    ],
    description="Titles of one artist on the weekly charts, as of a chart",
    columns={"best_*": "chart_entries.rank", "*": ""},
    rows="chart_entries.chart chart_entries.track_id",
)
