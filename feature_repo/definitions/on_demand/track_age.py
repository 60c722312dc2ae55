"""How long a track has been out."""

import numpy as np

from feature_repo.on_demand import OnDemand

SECONDS_A_DAY = 86_400.0


def track_age(released: np.ndarray, request_timestamp: np.ndarray) -> dict[str, np.ndarray]:
    """Days from release to the request; NaN where the release is not known.

    Args: two (n,) arrays of seconds since 1970 UTC.
    """
    return {"days": (request_timestamp - released) / SECONDS_A_DAY}


TRACK_AGE = OnDemand(
    "track_age",
    track_age,
    inputs={"released": "track_catalogue__released", "request_timestamp": "request_timestamp"},
    outputs={"days": "Float64"},
)
