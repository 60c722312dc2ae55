"""Every alert fires on the series of its fault and on no others; checked by Prometheus' own ``promtool``."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_repo.home import REPOSITORY

has_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on the path (prometheus)")

RULES = REPOSITORY / "deploy" / "prometheus" / "alerts.yaml"
JOB = 'job="refrain",instance="a"'

HEALTHY = {
    f"up{{{JOB}}}": "1+0x40",
    'refrain_http_requests_total{route="/v1/recommendations",status="200"}': "0+600x40",
    'refrain_http_request_seconds_bucket{route="/v1/recommendations",le="0.1"}': "0+599x40",
    'refrain_http_request_seconds_count{route="/v1/recommendations"}': "0+600x40",
    **{
        f'refrain_http_failures_total{{cause="{cause}"}}': "0+0x40"
        for cause in ("internal", "store", "not promoted", "not installed")
    },
    "refrain_level": "0+0x40",
    'refrain_swaps_total{serves="recommendations",outcome="refused"}': "0+0x40",
    'refrain_swaps_total{serves="recommendations",outcome="taken"}': "0+0x20 1+0x20",
    "refrain_online_store_up": "1+0x40",
    'refrain_feature_age_seconds{view="user_listening"}': "3600+0x40",
    'refrain_feature_stale_after_seconds{view="user_listening"}': "93600+0x40",
    'refrain_feature_age_seconds{view="track_catalogue"}': "9999999+0x40",  # no limit: nothing new came
    "refrain_feature_views_written": "12+0x40",
    'refrain_stream_events_total{outcome="accepted"}': "0+100x40",
    'refrain_stream_events_total{outcome="refused"}': "7+0x40",
    "refrain_stream_lag_seconds": "0.2+0x40",
    f"refrain_disk_free_bytes{{{JOB}}}": "50+0x40",
    f"refrain_disk_size_bytes{{{JOB}}}": "100+0x40",
    "refrain_break_glass_total": "0+0x40",
    **{f'refrain_log_left_out_total{{log="{log}"}}': "0+0x40" for log in ("acts", "lookups")},
    **{f'refrain_refusals_total{{reason="{reason}"}}': "0+0x40" for reason in ("key", "rate", "quota")},
    **{f'refrain_theft_alarms_total{{reason="{reason}"}}': "0+0x40" for reason in ("successor", "canary")},
}
"""Series of a service without faults, one sample a minute."""

FAULTS: dict[str, dict[str, str | None]] = {
    "RefrainGone": {f"up{{{JOB}}}": "1+0x35 0+0x5"},
    "RefrainGone (no target)": {f"up{{{JOB}}}": None},
    "RefrainRequestsFail": {'refrain_http_failures_total{cause="store"}': "0+12x40"},
    "RefrainModelMissing": {'refrain_http_failures_total{cause="not promoted"}': "0+600x40"},
    "RefrainRecommendationsSlow": {
        'refrain_http_request_seconds_bucket{route="/v1/recommendations",le="0.1"}': "0+540x40"
    },
    "RefrainLeavesOut": {"refrain_level": "0+0x25 3+0x15"},
    "RefrainPromotionRefused": {
        'refrain_swaps_total{serves="recommendations",outcome="refused"}': "0+0x35 1+0x5"  # the very first
    },
    "RefrainOnlineStoreDown": {"refrain_online_store_up": "1+0x35 0+0x5"},
    "RefrainFeaturesOld": {'refrain_feature_age_seconds{view="user_listening"}': "93600+60x40"},
    "RefrainNothingOnline": {"refrain_feature_views_written": "0+0x40"},
    "RefrainDeadLetters": {'refrain_stream_events_total{outcome="refused"}': "0+0x35 1+0x5"},
    "RefrainStreamLags": {"refrain_stream_lag_seconds": "0+60x40"},
    "RefrainDiskFull": {f"refrain_disk_free_bytes{{{JOB}}}": "9+0x40"},
    "RefrainLogsLeftOut": {'refrain_log_left_out_total{log="lookups"}': "0+0x35 1+0x5"},
    "RefrainAuditLost": {'refrain_log_left_out_total{log="acts"}': "0+0x35 1+0x5"},
    "RefrainGlassBroken": {"refrain_break_glass_total": "0+0x35 1+0x5"},
    "RefrainKeysGuessed": {'refrain_refusals_total{reason="key"}': "0+600x40"},
    "RefrainQuotaUsedUp": {'refrain_refusals_total{reason="quota"}': "0+0x35 1+0x5"},
    "RefrainModelTheft": {'refrain_theft_alarms_total{reason="canary"}': "0+0x35 1+0x5"},
}
"""Alert → the series of its fault, which replace those of a healthy service; None for a series that is gone."""


def _alert_names() -> set[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def _unit_test(name: str, changes: dict[str, str | None]) -> dict[str, Any]:
    """Write one test of promtool: at the end of the series, this alert fires and no other."""
    series = {key: values for key, values in (HEALTHY | changes).items() if values is not None}
    fired = name.partition(" ")[0]
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "40m",
                "exp_samples": [{"labels": f'{{alertname="{fired}"}}', "value": 1}] if fired else [],
            }
        ],
    }


def test_every_alert_has_a_fault() -> None:
    assert {name.partition(" ")[0] for name in FAULTS} == _alert_names()


@has_promtool
def test_alerts_fire_on_their_faults_and_on_no_others(tmp_path: Path) -> None:
    tests = [_unit_test("", {}), *(_unit_test(name, changes) for name, changes in FAULTS.items())]
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@has_promtool
def test_the_settings_of_prometheus_are_valid() -> None:
    settings = RULES.parent / "prometheus.yaml"
    result = subprocess.run(["promtool", "check", "config", str(settings)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
