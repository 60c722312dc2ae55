"""The routes and pages of the console."""

import re
import shutil
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from feature_repo import clock
from feature_repo.access.break_glass import BreakGlass, at
from feature_repo.audit_lines import whose
from feature_repo.errors import AccessError, InputError, RefrainError, StoreError
from feature_repo.extras import MissingExtra, explained
from feature_repo.home import Home
from feature_repo.output.plain import inert, shorten
from feature_repo.project import Project
from inference.anomaly.detector import DETECTORS, PERSONAL_KEYS, AnomalyDetector
from inference.anomaly.file import read
from inference.api.access import Access
from inference.api.acts import audit_act, request_fields
from inference.api.anomalies import check_detection, questions_about
from inference.api.audio import SoundService
from inference.api.costs import OBSERVATIONS, charge_in_thread, units_of
from inference.api.models import Champions, served
from inference.api.permission import Permission, role_field
from inference.api.recommendations import RecommendationService
from inference.api.schemas.recommendations import RecommendationRequest
from inference.api.theft import check_questions
from inference.experiments.running import Running
from inference.monitoring.freshness import FreshnessReader, cells
from inference.public_text import describe, next_step
from inference.recommend.controller import Controller
from inference.security.caller import PREDICT, Refused
from inference.security.sessions import COOKIE, SECONDS, session_token
from transforms.pure import svg

LINKS = (
    ("/", "Overview"),
    ("/console/recommend", "Recommend"),
    ("/console/sound", "Sound"),
    ("/console/anomalies", "Anomalies"),
    ("/console/experiments", "Experiments"),
    ("/docs", "Routes"),
)
HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
LARGEST_TEXT = 1 << 20
"""Maximum bytes of uploaded observations."""
LONGEST = 4_000
"""Characters of a text on a page."""
REPORT = re.compile(r"(monitor|experiment)-[\w-]{1,64}\.html", re.ASCII)


class Console:
    """Renders the pages of one application."""

    def __init__(
        self,
        home: Home,
        *,
        access: Access,
        champions: Champions,
        recommendation_service: RecommendationService,
        sound_service: SoundService,
        running: Running,
        controller: Controller,
        permission: Permission,
    ) -> None:
        self.home, self.access, self.champions, self.recommendation_service = (
            home,
            access,
            champions,
            recommendation_service,
        )
        self.sound_service, self.running, self.controller = sound_service, running, controller
        self.permission = permission
        self._templates = Environment(
            loader=PackageLoader("inference", "console"),
            autoescape=select_autoescape(),
            auto_reload=False,
            finalize=_shown,
        )
        self._freshness = FreshnessReader(home)
        self.has_music = Project.load(home.project_folder).has_music
        self._links = LINKS if self.has_music else (LINKS[0], LINKS[-1])

    def page(
        self, request: Request, name: str, title: str, status: HTTPStatus = HTTPStatus.OK, **context: object
    ) -> HTMLResponse:
        """Render one page."""
        content = self._templates.get_template(name).render(
            title=title,
            links=self._links if name != "login.html" else (),
            here=request.url.path,
            known=COOKIE in request.cookies,
            **context,
        )
        headers = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
        return HTMLResponse(content, status, headers)

    def overview(self) -> dict[str, Any]:
        """Collect the data of the overview page."""
        service, unhealthy, freshness = self.recommendation_service, "", None
        try:
            if service.is_promoted:
                service.live.get().check()
            freshness = cells(self._freshness.read(), clock.seconds(), time.time())
        except StoreError:
            unhealthy = "the online store does not answer: answers are made of the bundle alone"
        reports = self._reports("monitor-")
        return {
            "healthy": not unhealthy,
            "promoted": service.is_promoted,
            "music": self.has_music,
            "unhealthy": unhealthy,
            "freshness": freshness,
            "models": served(self.champions, self.home),
            "level": self.controller.level,
            "p99": f"{self.controller.p99 * 1e3:.1f}",
            "goal": f"{self.controller.goal * 1e3:g}",
            "open": not self.access.closed,
            "glass": self._glass(),
            "running": sum(experiment.state == "running" for experiment in self.running.declared.experiments.values()),
            "report": reports[-1] if reports else "",
        }

    def _glass(self) -> list[str]:
        """List the break-glasses that last, and the number of those to review."""
        grants = BreakGlass(self.home)
        try:
            known = grants.all()
        except InputError:
            return ["a file is damaged, and nothing is granted: refrain access reviews"]
        lasting = [grant for grant in known if grants.is_active(grant)]
        lines = [f"{grant.caller} holds {grant.role} since {at(grant.started)}, {grant.id}" for grant in lasting]
        count = sum(not grants.is_active(grant) and not grant.reviewer for grant in known)
        return [*lines, *([f"{count} to review: refrain access reviews"] if count else [])]

    def experiments(self) -> dict[str, Any]:
        """Collect the data of the page of experiments."""
        declarations = self.running.declared
        reports = {name.removeprefix("experiment-").removesuffix(".html") for name in self._reports("experiment-")}
        return {
            "holdout": declarations.holdout,
            "experiments": list(declarations.experiments.values()),
            "reports": reports,
        }

    def report(self, name: str) -> Path | None:
        """Find the file of a report; None if there is no report of this name."""
        file = self.home.reports / name
        return file if REPORT.fullmatch(name) and file.is_file() else None

    async def sound(self, request: Request, upload: UploadFile) -> dict[str, Any]:
        """Collect the data of the page of a sound."""
        with tempfile.NamedTemporaryFile(prefix="refrain-sound-") as file:
            await run_in_threadpool(shutil.copyfileobj, upload.file, file)
            file.flush()
            analysis, columns = await self.sound_service.analyze(request, Path(file.name), columns=True)
        return {"analysis": analysis, "waveform": Markup(_waveform(columns, analysis.seconds, analysis.beats))}

    def _reports(self, start: str) -> list[str]:
        return sorted(file.name for file in self.home.reports.glob(f"{start}*.html") if REPORT.fullmatch(file.name))


def install(app: FastAPI, console: Console) -> None:
    """Add the pages."""
    hidden: dict[str, Any] = {"include_in_schema": False, "response_class": HTMLResponse}

    @app.get("/", **hidden)
    def overview(request: Request) -> Response:
        return console.page(request, "overview.html", "Overview", **console.overview())

    @app.get("/console/style.css", include_in_schema=False)
    def style() -> Response:
        return FileResponse(HERE / "style.css", media_type="text/css", headers={"cache-control": "max-age=3600"})

    _login(app, console, hidden)

    @app.get("/console/recommend", **hidden)
    def recommend(
        request: Request,
        user: Annotated[str, Query(max_length=256)] = "",
        count: Annotated[int, Query(ge=1, le=50)] = 10,
        diversify: Annotated[str, Query(pattern="^(|mmr|calibrated)$")] = "",
    ) -> Response:
        context: dict[str, Any] = {"user": user, "count": count, "diversify": diversify}
        status = HTTPStatus.OK
        if user:
            try:
                context |= _recommend(console, request, user, count, diversify)
            except (RefrainError, HTTPException) as error:
                context["problem"], status = _error_text(error), _status_of(error)
        return console.page(request, "recommend.html", "Recommend", status, **context)

    @app.get("/console/sound", **hidden)
    def sound(request: Request) -> Response:
        return console.page(request, "sound.html", "Sound")

    @app.post("/console/sound", **hidden)
    async def analysed(request: Request, file: Annotated[UploadFile, File()]) -> Response:
        context: dict[str, Any] = {"track": (file.filename or "a sound")[:120]}
        status = HTTPStatus.OK
        with console.sound_service.slot():
            try:
                with explained():
                    context |= await console.sound(request, file)
            except MissingExtra as error:
                context["problem"] = f"{_error_text(error)} Next: {next_step(error)}"
                status = HTTPStatus.SERVICE_UNAVAILABLE
            except RefrainError as error:
                context["problem"], status = _error_text(error), HTTPStatus.UNPROCESSABLE_ENTITY
        return console.page(request, "sound.html", "Sound", status, **context)

    @app.get("/console/anomalies", **hidden)
    def anomalies(request: Request) -> Response:
        context: dict[str, Any] = {"detectors": ["untrained", *DETECTORS], "detector": "untrained", "text": EXAMPLE}
        return console.page(request, "anomalies.html", "Anomalies", **context)

    @app.post("/console/anomalies", **hidden)
    async def scored(
        request: Request,
        detector: Annotated[str, Form(max_length=40)] = "untrained",
        text: Annotated[str, Form(max_length=LARGEST_TEXT)] = "",
        file: Annotated[UploadFile | None, File()] = None,
    ) -> Response:
        content = await file.read(LARGEST_TEXT) if file is not None else b""
        context: dict[str, Any] = {"detectors": ["untrained", *DETECTORS], "detector": detector, "text": text[:20_000]}
        status = HTTPStatus.OK
        try:
            context |= await run_in_threadpool(_detect, console, request, detector, content or text.encode())
        except (RefrainError, HTTPException) as error:
            context["problem"], status = _error_text(error), _status_of(error)
        return console.page(request, "anomalies.html", "Anomalies", status, **context)

    @app.get("/console/experiments", **hidden)
    def experiments(request: Request) -> Response:
        return console.page(request, "experiments.html", "Experiments", **console.experiments())

    _reports(app, console, hidden)


def _reports(app: FastAPI, console: Console, hidden: dict[str, Any]) -> None:
    @app.get("/console/reports/{name}", **hidden)
    def report(request: Request, name: str) -> Response:
        file = console.report(name)
        if file is None:
            problem = f"There is no report {quote(name[:80])}."
            return console.page(
                request, "experiments.html", "Reports", HTTPStatus.NOT_FOUND, problem=problem, holdout=0
            )
        if name.startswith("monitor-"):  # it names values of features that are new
            try:
                under = console.permission.check_everything(request, "reports of monitoring")
                audit_act(request, "report", report=name, **under)
            except RefrainError as error:
                problem, status = _error_text(error), _status_of(error)
                return console.page(request, "experiments.html", "Reports", status, problem=problem, holdout=0)
        return HTMLResponse(file.read_text(encoding="utf-8"), headers={"content-security-policy": POLICY})


def _login(app: FastAPI, console: Console, hidden: dict[str, Any]) -> None:
    @app.get("/console/login", **hidden)
    def login(request: Request) -> Response:
        return console.page(request, "login.html", "Come in")

    @app.post("/console/login", **hidden)
    async def logged_in(request: Request, key: Annotated[str, Form(max_length=9_000)]) -> Response:
        key_text = key.strip()
        try:
            if not key_text.isascii():
                raise Refused("no key")
            caller = await console.access.caller({b"authorization": f"Bearer {key_text}".encode()})
            allowed = PREDICT in caller.roles
        except Refused:
            allowed = False
        if not allowed:
            problem = "This key is not valid here, or does not have the role predict."
            return console.page(request, "login.html", "Come in", HTTPStatus.UNAUTHORIZED, problem=problem)
        try:
            console.access.audit.put("session begun", **request_fields(request.scope, ""), key=caller.id)
            token = await run_in_threadpool(console.access.sessions.create, caller)
        except (OSError, StoreError):
            problem = "No session can be begun now: the disk is full, or the audit log cannot be written."
            return console.page(request, "login.html", "Come in", HTTPStatus.SERVICE_UNAVAILABLE, problem=problem)
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, token, max_age=int(SECONDS), httponly=True, samesite="strict", secure=secure, path="/"
        )
        return response

    @app.post("/console/logout", **hidden)
    def logout(request: Request) -> Response:
        console.access.sessions.revoke(session_token(dict(request.scope["headers"])))
        response = RedirectResponse("/console/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE)
        return response


def _shown(value: Any) -> Any:
    """Return a value as a page shows it: of a text no more than ``LONGEST`` characters, and none that acts."""
    return inert(shorten(value, LONGEST)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _recommend(console: Console, request: Request, user: str, count: int, diversify: str) -> dict[str, Any]:
    """Recommend to a listener, as the route does: it counts as a question, and under the caller's role."""
    started, keys = time.perf_counter(), {"user_id": [user]}
    options = {"diversify": diversify} if diversify else {}
    body = RecommendationRequest.model_validate({"user_id": user, "count": count, **options})
    hidden, sight = console.recommendation_service.check(console.permission, request, body)
    audit_act(request, "recommendation", **role_field(sight), **whose(keys))
    answer, assignments = console.recommendation_service.recommend(body, hidden=hidden)
    check_questions(request, "recommendations", [user], keys=keys, unknown=int(not answer.known))
    if not answer.consented:
        audit_act(request, "withheld", **whose(keys))
    return {
        "answer": answer,
        "arms": {assignment.experiment: assignment.variant for assignment in assignments},
        "milliseconds": f"{(time.perf_counter() - started) * 1e3:.0f}",
    }


def _detect(console: Console, request: Request, name: str, content: bytes) -> dict[str, Any]:
    """Score observations with a separate detector, so that trials in the console leave no state behind."""
    detector_class = DETECTORS.get(name)
    detector = AnomalyDetector() if detector_class is None else detector_class.load(home=console.home)
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(content)
        file.flush()
        observations = read(Path(file.name)).observations
    charge_in_thread(request, units_of(len(observations), OBSERVATIONS), "so many observations")
    keys: dict[str, list[str]] = {}
    if name in PERSONAL_KEYS:
        entities = [observation.entity for observation in observations]
        keys = {PERSONAL_KEYS[name]: entities}
        sight = check_detection(console.permission, request, detector, entities)
        audit_act(request, "detection", detector=name, **role_field(sight), **whose(keys))
    if detector_class is not None:
        check_questions(request, f"anomalies-{name}", questions_about(observations), people=keys)
    result = detector.detect(observations)
    alarms = [place for place, detection in enumerate(result.detections) if detection.alarm]
    picture = svg.lines("Score", [[detection.score for detection in result.detections]], marks=alarms)
    return {"result": result, "observations": f"{len(observations):,}", "scores": Markup(picture)}


def _waveform(columns: np.ndarray, seconds: float, beats: list[float]) -> str:
    """Draw the largest and the smallest sample of each column, and a mark for each beat."""
    width, height = svg.WIDTH, svg.HEIGHT
    extremes = columns / max(float(np.abs(columns).max(initial=0.0)), 1e-9)
    step = width / max(len(extremes), 1)
    bars = "".join(
        f"M{place * step:.1f} {height / 2 * (1 - high):.1f}V{height / 2 * (1 - low) + 0.5:.1f}"
        for place, (high, low) in enumerate(extremes.tolist())
    )
    marks = "".join(f"M{at / max(seconds, 1e-9) * width:.1f} 0V{height}" for at in beats)
    label = f"Waveform of {seconds:.1f} seconds with {len(beats)} beats"
    return (
        f"<figure><svg viewBox='0 0 {width} {height}' role=img aria-label='{label}'>"
        f"<path d='{marks}' stroke='#c9a227' stroke-width=1 opacity=.6 />"
        f"<path d='{bars}' stroke='#3d7ab8' stroke-width=1 /></svg><figcaption>{label}</figcaption></figure>"
    )


def _status_of(error: RefrainError | HTTPException) -> HTTPStatus:
    """Return the status of a page that shows an error."""
    if isinstance(error, HTTPException):
        return HTTPStatus(error.status_code)
    return HTTPStatus.FORBIDDEN if isinstance(error, AccessError) else HTTPStatus.UNPROCESSABLE_ENTITY


def _error_text(error: RefrainError | HTTPException) -> str:
    text = str(error.detail) if isinstance(error, HTTPException) else describe(error)
    return f"{text[:1].upper()}{text[1:]}."


def _example() -> str:
    """Make example observations: two hours of a host that hangs once."""
    rows = ["timestamp,host,cpu_permille"]
    for minute in range(120):
        load = 300 + 80 * np.sin(minute / 9) + 17 * ((minute * 37) % 11 - 5) / 5
        load = 985 if 90 <= minute < 96 else load
        rows.append(f"2026-01-05T{10 + minute // 60:02}:{minute % 60:02}:00Z,web-1,{load:.0f}")
    return "\n".join(rows)


EXAMPLE = _example()
