"""``refrain anomalies``: incidents in a file of observations, by its own past or by a promoted model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.commands.command import Command
from refrain.own_file.options import ANSWERS, SEED, TIME, TIME_FORMAT

if TYPE_CHECKING:
    from inference.anomaly.observation import IncidentReport
    from inference.anomaly.sinks import Alerts

OWN, UNTRAINED = "file", "none"
"""Detectors without a trained model: the best on the file, and the untrained one, unmeasured."""
SHOWN = 20
"""Number of incidents on the terminal."""


def anomalies(
    file: Annotated[
        Path, typer.Argument(help="table or JSON of times and numbers, or an export of a monitoring system")
    ],
    detector: Annotated[
        str,
        typer.Option(
            help="file (the best on the file itself), none (untrained), or a promoted one: system, performance, "
            "user_behavior, security, audio_quality"
        ),
    ] = OWN,
    column: Annotated[
        list[str] | None, typer.Option(help="column of a table with numbers; may be repeated; all if left out")
    ] = None,
    time: TIME = "",
    time_format: TIME_FORMAT = "",
    series: Annotated[
        list[str] | None, typer.Option(help="name of a metric, an entity or both; may be repeated; all if left out")
    ] = None,
    label: Annotated[str, typer.Option(help="column that says which rows are known anomalies, for the test")] = "",
    seed: SEED = 0,
    out: ANSWERS = None,
    page: Annotated[
        Path | None, typer.Option("--page", "--plot", help="page to write with the incidents, .html or .md")
    ] = None,
    sink: Annotated[
        list[str] | None, typer.Option(help="where to send notices: a file or an http(s) address; may be repeated")
    ] = None,
) -> None:
    """Detect anomalies in a file of observations: incidents with their causes.

    Files: any table or JSON with a time and numbers (CSV, Parquet, Arrow, Excel), Prometheus, CloudWatch, Grafana,
    collectd, sysstat (sadf -d). Each series is scored against its own past by the best of several detectors: that is
    chosen and measured on the newer half of the series, on known anomalies (--label) or on planted ones. Nothing is
    stored but the page and the answers; no data folder is needed, unless a promoted model is named.

    Example: refrain anomalies metrics.csv --page out.html
    """
    from inference.anomaly.observation import incident_report
    from inference.anomaly.sinks import Alerts, sink_of

    alerts = Alerts([sink_of(address) for address in sink or ()])
    if detector != OWN:
        refused = {"--label": label, "--out": out, "--time-format": time_format}
        if given := [option for option, value in refused.items() if value]:
            raise InputError(
                expected=f"{given[0]} with the detector {OWN}, which is chosen on the file",
                found=f"--detector {detector}",
                next_command=f"refrain anomalies {file} {given[0]} {refused[given[0]]}",
            )
        _detect_by_model(file, detector, column or (), time, series or (), page, alerts)
        return
    from refrain.own_file.anomalies import find_anomalies, moment
    from refrain.own_file.observations import Request, read_observations
    from refrain.own_file.page import check_suffixes
    from refrain.own_file.work import save

    check_suffixes(page, out)
    request = Request(time, time_format, tuple(column or ()), tuple(series or ()), label)
    with progress("anomalies") as report:
        observations = read_observations(file, request, progress=report)
        result, incidents = find_anomalies(file, observations, seed=seed, progress=report)
    for line in (*result.lines, result.verdict.line):
        say(line)
    for incident in incidents[:SHOWN]:
        start, end = moment(incident.start), moment(incident.end)
        say(f"{start:%Y-%m-%d %H:%M} – {end:%m-%d %H:%M}  {incident.entity:20}  score {incident.worst:.1f}")
    if len(incidents) > SHOWN:
        say(f"and {len(incidents) - SHOWN:,} more")
    save(result, "anomalies", file, out=out, page=page)
    _notify(alerts, OWN, [incident_report(incident) for incident in incidents])


def _detect_by_model(
    file: Path,
    detector: str,
    columns: Sequence[str],
    time: str,
    series: Sequence[str],
    page: Path | None,
    alerts: "Alerts",
) -> None:
    """Shows what a promoted model, or the untrained detector, finds."""
    from inference.anomaly.detector import DETECTORS, PERSONAL_KEYS, AnomalyDetector
    from inference.anomaly.file import read
    from inference.anomaly.page import page as page_of
    from transforms.pure import svg

    if detector not in (*DETECTORS, UNTRAINED):
        raise InputError(
            expected=f"one of {', '.join((OWN, UNTRAINED, *DETECTORS))}",
            found=repr(detector),
            next_command="refrain anomalies --help",
        )
    rows = read(file, columns=columns, time=time, series=series)
    observations, errors = rows.observations, rows.errors
    if detector == UNTRAINED and not rows.series:
        raise InputError(
            expected="numbers, which are scored without a model",
            found=f"{len(observations):,} rows of times without any in {file}",
            next_command="refrain anomalies FILE --detector system",
        )
    home = Home.from_env()
    if detector in PERSONAL_KEYS:
        under = check_whole(home, "detections about people")
        entities = [observation.entity for observation in observations]
        write_act(home, "detection", **under, detector=detector, **whose({PERSONAL_KEYS[detector]: entities}))
    model = AnomalyDetector() if detector == UNTRAINED else DETECTORS[detector].load(home=home)
    detections = model.detect(observations)
    for error in errors[:5]:
        say(f"not read, {error}")
    if len(errors) > 5:
        say(f"and {len(errors) - 5:,} more not read")
    for note in rows.notes:
        say(note)
    if len(rows.series) > 1:
        say(f"series: {', '.join(rows.series)}")
    say(f"{len(observations):,} observations by {detections.model}: {len(detections.incidents)} incidents")
    for incident in detections.incidents:
        causes = ", ".join(f"{name} {share:.0%}" for name, share in incident.causes.items())
        say(
            f"{incident.start:%Y-%m-%d %H:%M} – {incident.end:%m-%d %H:%M}  {incident.entity:20}  "
            f"p {incident.p_value:.1e}  {causes}"
        )
    if detections.note:
        say(detections.note)
    if page:
        say(f"page: {svg.write(page, page_of(observations, detections, detections.incidents))}")
    _notify(alerts, detections.detector, detections.incidents)


def _notify(alerts: "Alerts", detector: str, incidents: "Sequence[IncidentReport]") -> None:
    """Sends notices of incidents to the sinks, if there are any."""
    if not alerts.sinks:
        return
    alerts.add(detector, incidents)
    say(f"notices: {len(incidents)}" + (f"; {alerts.waiting} could not be delivered" if alerts.waiting else ""))


COMMAND = Command(anomalies, "Answers")
