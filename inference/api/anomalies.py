"""``POST /v1/anomalies/detect``."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from inference.anomaly.detector import DETECTORS, AnomalyDetector, Observation
from inference.anomaly.sinks import Alerts, sink_of
from inference.api import errors
from inference.api.schemas.anomalies import DetectRequest, DetectResponse
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live


class Detecting:
    """The detectors of one application; each is loaded when it is first asked, and follows promotions."""

    def __init__(self, home: Home) -> None:
        self.lives = {
            name: Live(partial(kind.load, home=home, remember=True), [kind.name], home, try_out=_try_out)
            for name, kind in DETECTORS.items()
        }
        self._alerts = Alerts([sink_of(one) for one in os.environ.get("REFRAIN_ALERTS", "").split()])
        self._delivery = ThreadPoolExecutor(1, thread_name_prefix="alerts")

    def detect(self, body: DetectRequest) -> DetectResponse:
        """Score, and tell the sinks what is new."""
        seen = [Observation(one.entity, one.at, one.values) for one in body.observations]
        found = self.lives[body.detector].get().detect(seen)
        if found.incidents and self._alerts.tell(found.detector, found.incidents, deliver=False):
            self._delivery.submit(self._alerts.deliver)  # an address that is slow must not hold anybody up
        return DetectResponse.model_validate(asdict(found))

    def close(self) -> None:
        """Deliver what can be delivered, and leave the memory of every detector to the next process."""
        self._delivery.shutdown(wait=True, cancel_futures=True)
        self._alerts.deliver()
        for live in self.lives.values():
            if live.loaded is not None:
                live.loaded.save()


def _try_out(detector: AnomalyDetector) -> None:
    """It answers, whatever; and forgets."""
    detector.detect([])


def install(app: FastAPI, detecting: Detecting, log: PredictionLog, registry: CollectorRegistry) -> None:
    """Add the route."""
    alarms = Counter("refrain_alarms", "Alarms by detector", ["detector"], registry=registry)

    @app.post("/v1/anomalies/detect", responses=errors.RESPONSES, tags=["anomaly"])
    def detect(body: DetectRequest) -> DetectResponse:
        """What is unusual among some observations, with causes, and the incidents that the alarms belong to.

        The detector remembers what it saw: an observation is scored by what came before it, in this call or an
        earlier one. Incidents that are new go to the sinks of ``REFRAIN_ALERTS``: files and addresses, with spaces
        between.
        """
        found = detecting.detect(body)
        for one in found.detections:
            log.put("anomalies", found.model, detector=body.detector, score=one.score, alarm=one.alarm)
        alarms.labels(body.detector).inc(sum(one.alarm for one in found.detections))
        return found
