"""The routes of the API, each as a function that makes its HTTP request; ``client`` gives them as methods.

The names are the operation ids of the service's OpenAPI document.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from refrain.client.answers import (
    AudioAnalysis,
    BatchResult,
    Detections,
    EncryptedModel,
    Experiment,
    Experiments,
    Features,
    Forecast,
    Health,
    Liveness,
    Predictions,
    RankedScores,
    Readiness,
    Recommendations,
    SentEvents,
    SentKeys,
    ServedModel,
    TextAnalyses,
)
from refrain.client.requests import (
    Act,
    Context,
    Detector,
    Event,
    ForecastEntity,
    ForecastRequest,
    Keys,
    Observation,
    RecommendationOptions,
    RecommendationRequest,
    Target,
)

if TYPE_CHECKING:
    from refrain.client.encryption import EncryptionKeys

Answer = TypeVar("Answer")
JSON, BYTES = "application/json", "application/octet-stream"


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One HTTP request.

    Attributes:
        method: its method.
        path: path below the address of the service.
        read: turns the body of a successful answer into the result.
        body: body of the request; None for none.
        content_type: type of the body.
    """

    method: str
    path: str
    read: Callable[[bytes], Answer]
    body: bytes | None = None
    content_type: str = JSON


class _Results(msgspec.Struct, Generic[Answer]):
    results: list[BatchResult[Answer]]


class _Models(msgspec.Struct):
    models: list[ServedModel]


class _EncryptedModels(msgspec.Struct):
    models: list[EncryptedModel]


class _EncryptedScores(msgspec.Struct):
    model: str
    kind: str
    ids: list[str]
    norm: float
    scores: list[bytes]  # base64 in JSON


RequestFields = Mapping[str, str | float | Sequence[str | float | None] | None]
"""Request field of an on-demand function → a value, or one for each row."""


def look_up_features(
    service: str, keys: Keys, *, request: RequestFields | None = None, context: Context | None = None
) -> Call[Features]:
    """Looks up the features of one feature service, for at most 1,000 rows; the role is ``read_features``.

    Args:
        service: name of the feature service.
        keys: join key → n values; one value counts for all rows, and None finds no row.
        request: request field of an on-demand function → a value, or n values, one for each row.
        context: device, context and moment of the request.

    Raises:
        NotFound: there is no such feature service.
        InvalidRequest: a join key is missing or does not fit its type, or lengths differ.

    >>> features = client.look_up_features("listener_v1", {"user_id": ["u000042"]})    # doctest: +SKIP
    >>> features.values["user_history__distinct_tracks"]                               # doctest: +SKIP
    [212]
    """
    body = _rows_body(keys, request, context)
    return _post(f"/v1/features/{_part(service)}", body, _reader(Features))


def predict(
    model: str, keys: Keys, *, request: RequestFields | None = None, context: Context | None = None
) -> Call[Predictions]:
    """Predicts with a promoted tabular model, for at most 1,000 rows; the role is ``predict``.

    Args:
        model: name of the model.
        keys: join key → n values; one value counts for all rows.
        request: request field of an on-demand function → a value, or n values, one for each row.
        context: device, context and moment of the request.

    Raises:
        NotFound: no tabular model of this name is promoted.

    >>> client.predict("churn_model", {"user_id": ["u000007", "u000042"]}).values      # doctest: +SKIP
    [0.12, 0.71]
    """
    body = _rows_body(keys, request, context)
    return _post(f"/v1/predictions/{_part(model)}", body, _reader(Predictions))


def recommend(user_id: str, **options: Unpack[RecommendationOptions]) -> Call[Recommendations]:
    """Recommends tracks to one listener, each with a reason; the role is ``predict``.

    Args:
        user_id: identifier of the listener; an unknown one gets popular tracks, or some that go with the picks.
        options: see ``RecommendationOptions``.

    >>> answer = client.recommend("u000042", count=5, context={"device": "phone"})     # doctest: +SKIP
    >>> [(track.title, track.reason) for track in answer.items]                        # doctest: +SKIP
    """
    return _post("/v1/recommendations", {"user_id": user_id, **options}, _reader(Recommendations))


def recommend_batch(requests: Sequence[RecommendationRequest]) -> Call[list[BatchResult[Recommendations]]]:
    """Recommends to up to 100 listeners; each gets an answer or a problem, and counts as a request.

    >>> results = client.recommend_batch([{"user_id": "u000042"}, {"user_id": "u000007"}])  # doctest: +SKIP
    >>> [result.get().answer_id for result in results]                                      # doctest: +SKIP
    """
    read = _reader(_Results[Recommendations])
    return _post("/v1/recommendations/batch", {"requests": list(requests)}, lambda body: read(body).results)


def forecast(
    entity: ForecastEntity, id: str, *, target: Target | None = None, horizon: int | None = None
) -> Call[Forecast]:
    """Forecasts a track, an artist, a genre, a listener or the platform; the role is ``predict``.

    Args:
        entity: kind of the entity.
        id: its identifier.
        target: the first target of the entity if None: ``streams``, for listeners ``activity``.
        horizon: number of steps; all that the model forecasts if None.

    Raises:
        NotFound: nothing was forecast for the entity.

    >>> client.forecast("track", "t000042", horizon=7).points[0].mean                  # doctest: +SKIP
    41.5
    """
    body = {"entity": entity, "id": id, "target": target, "horizon": horizon}
    return _post("/v1/forecasts", body, _reader(Forecast))


def forecast_batch(requests: Sequence[ForecastRequest]) -> Call[list[BatchResult[Forecast]]]:
    """Forecasts up to 100 entities; each gets an answer or a problem, and counts as a request.

    >>> results = client.forecast_batch([{"entity": "track", "id": "t000042"}])        # doctest: +SKIP
    >>> results[0].get().points                                                        # doctest: +SKIP
    """
    read = _reader(_Results[Forecast])
    return _post("/v1/forecasts/batch", {"requests": list(requests)}, lambda body: read(body).results)


def send_events(kind: str, events: Iterable[Event]) -> Call[SentEvents]:
    """Appends events to the stream, at most 1,000; the role is ``send_events``.

    An event that is sent again counts once. Events that are not valid are in ``refused`` of the answer, with their
    place and the reason; the others are accepted. If none is, the request is refused.

    Args:
        kind: kind of the events, such as ``plays``.
        events: ``event_timestamp`` and the columns of the kind; times as datetimes or as texts in ISO 8601.

    Raises:
        InvalidRequest: no event is valid, or there is no such kind.

    >>> play = {"user_id": "u000042", "track_id": "t000007", "event_timestamp": datetime.now(UTC)}
    >>> client.send_events("plays", [play]).accepted                                   # doctest: +SKIP
    1
    """
    return _post("/v1/events", {"kind": kind, "events": list(events)}, _reader(SentEvents))


def send_feedback(acts: Iterable[Act]) -> Call[SentEvents]:
    """Appends acts of listeners to the stream, at most 1,000; the role is ``send_events``.

    An act without ``at`` gets the time of this machine here, so that a repeated request counts once.

    >>> client.send_feedback([{"user_id": "u000042", "action": "like", "track_id": "t000007"}])  # doctest: +SKIP
    """
    now = datetime.now(UTC)
    timed = [{**act, "at": _with_zone(act.get("at") or now)} for act in acts]
    return _post("/v1/feedback", {"acts": timed}, _reader(SentEvents))


def analyze_texts(texts: Iterable[str], *, vectors: bool = False) -> Call[TextAnalyses]:
    """Analyzes up to 256 texts: language, sentiment, emotion, tags, topic, measures; the role is ``predict``.

    Args:
        texts: the texts; the first 20,000 characters of each are read.
        vectors: whether the answer has the vectors of the texts.

    Raises:
        TypeError: one text is given in place of several.

    >>> client.analyze_texts(["a gem of a record"]).results[0].sentiment               # doctest: +SKIP
    'positive'
    """
    if isinstance(texts, str):
        raise TypeError("texts is a list of texts: analyze_texts([text])")
    return _post("/v1/text/analyze", {"texts": list(texts), "vectors": vectors}, _reader(TextAnalyses))


def analyze_audio(sound: bytes | str | Path, *, structure: bool = False) -> Call[AudioAnalysis]:
    """Analyzes a sound: meter, beats, key, spectrum, classes; the role is ``predict``.

    Args:
        sound: path of a file (wav, flac, opus, mp3, …), or its content; at most 50 MB and 20 minutes. A file is read
            before the request is sent, by ``AsyncClient`` too.
        structure: whether the answer has bars, beats, tatums, sections and segments.

    Raises:
        OSError: the file cannot be read.

    >>> client.analyze_audio("song.mp3").tempo                                         # doctest: +SKIP
    118.0
    """
    content = bytes(sound) if isinstance(sound, bytes | bytearray | memoryview) else Path(sound).read_bytes()
    path = "/v1/audio/analyze" + ("?structure=true" if structure else "")
    return Call("POST", path, _reader(AudioAnalysis), content, BYTES)


def detect_anomalies(detector: Detector, observations: Iterable[Observation]) -> Call[Detections]:
    """Scores observations for anomalies, oldest first and at most 1,000; the role is ``predict``.

    The detector remembers observations: one that a repeated request brings again has the verdict ``duplicate``.

    >>> observation = {"entity": "host-01", "at": datetime.now(UTC), "values": {"cpu_permille": 310}}
    >>> client.detect_anomalies("system", [observation]).detections[0].alarm           # doctest: +SKIP
    False
    """
    return _post(
        "/v1/anomalies/detect", {"detector": detector, "observations": list(observations)}, _reader(Detections)
    )


def list_encrypted_models() -> Call[list[EncryptedModel]]:
    """Lists the models that answer about encrypted vectors; the role is ``predict``.

    >>> [(model.model, model.dimensions) for model in client.list_encrypted_models()]  # doctest: +SKIP
    [('recommendation', 64)]
    """
    read = _reader(_EncryptedModels)
    return Call("GET", "/v1/encrypted/models", lambda body: read(body).models)


def send_encryption_keys(keys: "EncryptionKeys") -> Call[SentKeys]:
    """Sends the public part of encryption keys, which the service keeps for an hour; the role is ``predict``.

    Args:
        keys: keys of ``refrain.client.encryption``, which need the extra ``homomorphic``.

    >>> client.send_encryption_keys(EncryptionKeys(64)).expires_s                      # doctest: +SKIP
    3600.0
    """
    return Call("POST", "/v1/encrypted/contexts", _reader(SentKeys), keys.public, BYTES)


def score_encrypted(
    keys: "EncryptionKeys",
    model: str,
    vector: Sequence[float],
    *,
    tracks: Sequence[str] | None = None,
    fit: int | None = None,
) -> Call[RankedScores]:
    """Has a vector scored that the service cannot read; the role is ``predict``.

    Args:
        keys: keys whose public part was sent.
        model: a model of ``list_encrypted_models``.
        vector: the numbers, such as the ``user_taste__vector`` of a listener, or ``EncryptedModel.row``.
        tracks: at most 5,000 tracks to score; all if None.
        fit: the fit that the vector is of, such as ``user_taste__fit``; the service checks it if it is given. Of a row
            it is ``EncryptedModel.fit`` and needed, as another version of the model may have other centers and units.

    Raises:
        NotFound: the service has forgotten the keys, or there is no such model.
        InputError: the vector is not valid, or the answer cannot be decrypted.

    >>> client.score_encrypted(keys, "recommendation", vector).best(10)                # doctest: +SKIP
    """
    question = keys.encrypt(vector)
    options = {"tracks": None if tracks is None else list(tracks), "fit": fit}
    body = {"model": model, "context": keys.digest, "vector": question.content, **options}
    read = _reader(_EncryptedScores)

    def decrypt(content: bytes) -> RankedScores:
        answer = read(content)
        scores = question.decrypt(answer.scores, len(answer.ids), answer.norm)
        return RankedScores(answer.model, answer.kind, answer.ids, scores)

    return _post("/v1/encrypted/scores", body, decrypt)


def list_experiments() -> Call[Experiments]:
    """Lists the declared experiments with their state; any key may.

    >>> [experiment.name for experiment in client.list_experiments().experiments]      # doctest: +SKIP
    """
    return Call("GET", "/v1/experiments", _reader(Experiments))


def start_experiment(name: str, *, share: float | None = None) -> Call[Experiment]:
    """Starts an experiment, or raises its share of listeners; the role is ``administer``.

    Args:
        name: name of the experiment.
        share: share of the listeners, 0 to 1; as before, or as declared, if None.

    Raises:
        NotFound: there is no such experiment.
        InvalidRequest: it was stopped, or the share would shrink.

    >>> client.start_experiment("fresh_first", share=0.1).state                        # doctest: +SKIP
    'running'
    """
    return _post(f"/v1/experiments/{_part(name)}/start", {"share": share}, _reader(Experiment))


def stop_experiment(name: str, reason: str) -> Call[Experiment]:
    """Stops an experiment for good; the role is ``administer``.

    Args:
        name: name of the experiment.
        reason: why, in at most 200 characters.

    Raises:
        NotFound: there is no such experiment.

    >>> client.stop_experiment("fresh_first", "more skips than before").state          # doctest: +SKIP
    'stopped'
    """
    return _post(f"/v1/experiments/{_part(name)}/stop", {"reason": reason}, _reader(Experiment))


def list_models() -> Call[list[ServedModel]]:
    """Lists the models that serve, with their versions and the outcome of promotions; any key may.

    >>> {model.serves: model.versions for model in client.list_models()}               # doctest: +SKIP
    """
    read = _reader(_Models)
    return Call("GET", "/v1/models", lambda body: read(body).models)


def check_health() -> Call[Health]:
    """Checks that the online store answers, and that the recommender is loaded if one is promoted; needs no key.

    Raises:
        Unavailable: they are not.

    >>> client.check_health().status                                                   # doctest: +SKIP
    'ok'
    """
    return Call("GET", "/health", _reader(Health))


def check_live() -> Call[Liveness]:
    """Checks that the process answers, whatever its store and its models do; needs no key.

    >>> client.check_live().status                                                     # doctest: +SKIP
    'live'
    """
    return Call("GET", "/live", _reader(Liveness))


def check_ready() -> Call[Readiness]:
    """Checks that the online store answers and that every promoted model is loaded; needs no key.

    Raises:
        Unavailable: one of them is not; the message names all that are missing.

    >>> client.check_ready().models                                                    # doctest: +SKIP
    {'recommendation': 'recommendation:3'}
    """
    return Call("GET", "/ready", _reader(Readiness))


def read_metrics() -> Call[str]:
    """Reads the metrics of all serving processes, in the format of Prometheus; needs the role ``metrics``.

    >>> "refrain_http_requests_total" in client.read_metrics()                         # doctest: +SKIP
    True
    """
    return Call("GET", "/metrics", lambda body: body.decode())


def _post(path: str, body: dict[str, Any], read: Callable[[bytes], Answer]) -> Call[Answer]:
    return Call("POST", path, read, _ENCODER.encode(body))


def _reader(kind: type[Answer]) -> Callable[[bytes], Answer]:
    return msgspec.json.Decoder(kind).decode


def _part(name: str) -> str:
    """Quotes a name as one part of a path."""
    if name in ("", ".", ".."):
        raise ValueError(f"a name, not {name!r}")
    return quote(name, safe="")


def _rows_body(keys: Keys, request: RequestFields | None, context: Context | None) -> dict[str, Any]:
    fields = {"request": dict(request)} if request else {}
    return {"keys": _key_lists(keys), **fields, "context": context or {}}


def _key_lists(keys: Keys) -> dict[str, list[Any]]:
    return {name: _key_list(values) for name, values in keys.items()}


def _key_list(values: Any) -> list[Any]:
    if values is None or isinstance(values, str | int | float | datetime):
        values = [values]
    return [None if _is_missing(value) else value for value in values]


def _is_missing(value: Any) -> bool:
    """Whether a key is None, NaN, NaT or ``pandas.NA``, whose comparison has no truth."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - only NaN and NaT differ from themselves
    except TypeError:
        return True


def _with_zone(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _to_json(value: Any) -> Any:
    """Turns values of numpy and pandas into Python's; their times into ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if getattr(getattr(value, "dtype", None), "kind", "") == "M":
        return f"{value.astype('datetime64[us]')}Z"
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value that JSON has, not {type(value).__name__}: {value!r}")


_ENCODER = msgspec.json.Encoder(enc_hook=_to_json)
