"""Services of detectors: hosts, endpoints, accounts, clients, masters."""

from feature_repo.service import service

SERVICES = (
    service(
        "system_anomaly_v1",
        "How a host is doing, and how far that is from what is usual at this hour of the week",
        "host_health: cpu_{5m,1h} cpu_most_{5m,1h} cpu_spread_1h memory_{5m,1h} disk_1h network_in_{5m,1h} "
        "network_out_{5m,1h} disk_io_{5m,1h} connections_{5m,1h}",
        "host_deviation",
    ),
    service(
        "performance_anomaly_v1",
        "How an endpoint answers, and how far that is from what is usual at this hour of the week",
        "endpoint_performance: requests_{5m,1h} latency_{5m,1h} latency_spread_{5m,1h} error_rate_{5m,1h} "
        "refused_rate_{5m,1h} slow_rate_{5m,1h} bytes_{5m,1h} clients_1h",
        "endpoint_deviation",
    ),
    service(
        "user_anomaly_v1",
        "How an account listens and from where, beside its own last four weeks",
        "user_behavior",
        "user_deviation",
        "user_listening: plays_28d listening_ms_28d skip_rate_28d distinct_tracks_28d",
        "account_security: attempts_{1h,1d} failure_rate_{1h,1d} addresses_{1h,1d} countries_{1h,1d} devices_{1h,1d}",
        purpose="security",
    ),
    service(
        "security_anomaly_v1",
        "What comes from one client address: attempts to log in, and requests",
        "access_security",
        "client_activity",
        purpose="security",
    ),
    service(
        "audio_anomaly_v1",
        "How a master sounds to a meter",
        "audio_quality",
    ),
)
