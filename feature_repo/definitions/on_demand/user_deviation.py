"""How an account listens beside what one person can, and beside its own last four weeks."""

import numpy as np

from feature_repo.on_demand import OnDemand

HOUR_MS, DAYS = 3_600_000.0, 28.0


def user_deviation(
    plays_5m: np.ndarray,
    barely_paid_rate_5m: np.ndarray,
    plays_1h: np.ndarray,
    barely_paid_rate_1h: np.ndarray,
    tracks_1h: np.ndarray,
    listening_ms_1h: np.ndarray,
    plays_1d: np.ndarray,
    barely_paid_rate_1d: np.ndarray,
    tracks_1d: np.ndarray,
    listening_ms_1d: np.ndarray,
    plays_28d: np.ndarray,
) -> dict[str, np.ndarray]:
    """Counts that rates hide, and paces; all (n,), NaN where what they are made of is missing.

    Args: of the windows that they are named after; plays, shares of barely paid ones, distinct tracks, milliseconds.

    Returns:
        ``barely_paid_5m``, ``…_1h`` and ``…_1d``: barely paid plays; ``repeats_1h`` and ``…_1d``: plays of a track;
        ``hours_1h`` and ``…_1d``: hours listened in the window, more than it has if several listen at once; ``pace``:
        plays of the day over those of an average day of the four weeks before (one is added to both).
    """
    with np.errstate(invalid="ignore"):
        return {
            "barely_paid_5m": plays_5m * np.nan_to_num(barely_paid_rate_5m),
            "barely_paid_1h": plays_1h * np.nan_to_num(barely_paid_rate_1h),
            "barely_paid_1d": plays_1d * np.nan_to_num(barely_paid_rate_1d),
            "repeats_1h": plays_1h / np.maximum(tracks_1h, 1),
            "repeats_1d": plays_1d / np.maximum(tracks_1d, 1),
            "hours_1h": listening_ms_1h / HOUR_MS,
            "hours_1d": listening_ms_1d / HOUR_MS,
            "pace": (plays_1d + 1) / (np.nan_to_num(plays_28d) / DAYS + 1),
        }


USER_DEVIATION = OnDemand(
    "user_deviation",
    user_deviation,
    inputs={
        **{
            f"{name}_{window}": f"user_behavior__{name}_{window}"
            for window, names in (
                ("5m", ("plays", "barely_paid_rate")),
                ("1h", ("plays", "barely_paid_rate", "tracks", "listening_ms")),
                ("1d", ("plays", "barely_paid_rate", "tracks", "listening_ms")),
            )
            for name in names
        },
        "plays_28d": "user_listening__plays_28d",
    },
    outputs=dict.fromkeys(
        (
            "barely_paid_5m",
            "barely_paid_1h",
            "barely_paid_1d",
            "repeats_1h",
            "repeats_1d",
            "hours_1h",
            "hours_1d",
            "pace",
        ),
        "Float64",
    ),
)
