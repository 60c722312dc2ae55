"""Types of what the methods of the client return. Fields that a newer service adds are ignored."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from refrain.client.errors import Problem, error_of_problem

Answer = TypeVar("Answer")
Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its offset."""


class Features(msgspec.Struct, frozen=True):
    """Features of n rows.

    Attributes:
        service: name of the feature service.
        fingerprint: fingerprint of its definition.
        rows: number of rows, n.
        values: ``view__feature`` → n values, None where one is missing; times as texts in ISO 8601.
        denied: rows of people who have not consented to the purpose of the service, of whom no value is here.
        withheld: rows that the role of the caller does not see, whether there is anything of them or not.
        hidden: feature that the role of the caller does not see → ``refused``, or how it is masked.
    """

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]]
    denied: list[int] = []
    withheld: list[int] = []
    hidden: dict[str, str] = {}


class Predictions(msgspec.Struct, frozen=True):
    """Predictions for n rows.

    Attributes:
        model: name and version of the model.
        kind: ``binary`` for probabilities, ``number`` for numbers.
        values: n probabilities or numbers.
        known: n truths; false where no feature of the row has a value.
    """

    model: str
    kind: Literal["binary", "number"]
    values: list[float]
    known: list[bool]


class RecommendedTrack(msgspec.Struct, frozen=True):
    """One recommended track.

    Attributes:
        score: comparable within one answer only; None if ordered by popularity alone.
        source: candidate source, such as ``taste`` or ``popular``.
        reason: reason for the recommendation, as text.
        propensity: probability that this slot shows this track, given the slots before it.
        explored: whether exploration chose the track.
    """

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None
    source: str
    reason: str
    propensity: float
    explored: bool


class Counterfactual(msgspec.Struct, frozen=True):
    """Without what the first track would not have come first.

    Attributes:
        without_tracks: few of the last plays, or picks; empty if none were found.
        track_instead: the track that comes first without them.
        without_parts: the fewest parts of the score; empty if there are none.
        track_instead_of_parts: the track that comes first without these parts.
        text: both in words.
    """

    track_id: str
    without_tracks: list[str]
    track_instead: str | None
    without_parts: list[str]
    track_instead_of_parts: str | None
    text: str


class Recommendations(msgspec.Struct, frozen=True):
    """The recommendations for one listener.

    Attributes:
        known: false if nothing that this listener heard is known.
        model: name and version of the model.
        strategy: which of the recommenders answered.
        features: feature service → fingerprint, for the services that were read.
        answer_id: identifier of the answer, to be sent with feedback.
        items: recommended tracks, best first.
        note: reasons why the answer is worse than it could be; None if there are none.
        consented: false if the listener has not consented to personalisation, so that nothing of them was looked up.
        experiments: experiment → arm, for the experiments that the listener takes part in.
        counterfactual: without what the first track would not have come first; None unless it was asked for.
    """

    user_id: str
    known: bool
    model: str
    strategy: str
    features: dict[str, str]
    answer_id: str
    items: list[RecommendedTrack]
    note: str | None = None
    consented: bool = True
    experiments: dict[str, str] = {}
    counterfactual: Counterfactual | None = None


class ForecastPoint(msgspec.Struct, frozen=True):
    """One step of a forecast, with its intervals.

    Attributes:
        chance: probability of being on the chart, or of no play; None for other targets.
    """

    start: Time
    end: Time
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None


class Forecast(msgspec.Struct, frozen=True):
    """The forecast of one entity.

    Attributes:
        model: name and version of the model.
        origin: the forecast uses no data after this moment.
        points: one point for each step.
    """

    entity: str
    id: str
    target: str
    model: str
    origin: Time
    points: list[ForecastPoint]
    note: str | None = None


class BatchResult(msgspec.Struct, Generic[Answer], frozen=True):
    """The answer to one request of a batch, or its problem.

    Attributes:
        answer: the answer; None if there is a problem.
        problem: why there is no answer; None if there is one.

    >>> BatchResult(answer=3).get()
    3
    """

    answer: Answer | None = None
    problem: Problem | None = None

    def get(self) -> Answer:
        """Returns the answer.

        Raises:
            ApiError: there is none; the error has the fields of the problem.
        """
        if self.problem is not None:
            raise error_of_problem(self.problem)
        return self.answer  # type: ignore[return-value]


class AnalyzedText(msgspec.Struct, frozen=True):
    """The analysis of one text; None where a value cannot be determined.

    Attributes:
        text: the text, cleaned and with personal data masked.
        masked: kind of masked data → count.
        marks: changes to the text, or defects of it.
        language: ISO 639; ``und`` if undetermined.
        positive: probability of a positive sentiment.
        topic: heaviest words of the topic with the largest share.
        subjectivity: 0 for facts, 1 for opinions; English.
        explicitness: explicit words per hundred words; English.
        vector: the vector of the text, if it was wanted.
    """

    text: str
    masked: dict[str, int]
    marks: list[str]
    language: str
    language_confidence: float
    words: int
    sentiment: str | None
    positive: float | None
    emotion: str | None
    emotions: dict[str, float] | None
    tags: dict[str, float] | None
    topic: list[str] | None
    subjectivity: float | None
    explicitness: float | None
    repetition: float | None
    rhyme_density: float | None
    vocabulary_richness: float | None
    vector: list[float] | None = None


class TextAnalyses(msgspec.Struct, frozen=True):
    """Analyses of texts.

    Attributes:
        results: one analysis for each text, in their order.
        models: model → name and version.
        note: which models are missing; None if none is.
    """

    results: list[AnalyzedText]
    models: dict[str, str]
    note: str | None = None


class SoundKey(msgspec.Struct, frozen=True):
    """The musical key of a sound, such as F# minor."""

    tonic: str
    mode: str
    confidence: float


class SoundPeak(msgspec.Struct, frozen=True):
    """A peak of the spectrum; decibels relative to the strongest frequency of the sound."""

    hertz: float
    decibels: float
    note: str


class SoundClasses(msgspec.Struct, frozen=True):
    """Genre, mood and instruments; None where the model was not trained for them.

    Attributes:
        genre: ``unknown`` if the sound is unlike all training sounds.
        genres: genre → probability.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: instrument → probability that it is present.
        distance: how unlike the training sounds; unknown above 1.
    """

    genre: str | None
    genres: dict[str, float] | None
    mood: str | None
    moods: dict[str, float] | None
    valence: float | None
    arousal: float | None
    instruments: dict[str, float] | None
    distance: float
    unknown: bool


class SoundTempo(msgspec.Struct, frozen=True):
    """A candidate for the tempo of a sound.

    Attributes:
        tempo: beats a minute.
        strength: 0 to 1; those of all candidates add up to 1.
    """

    tempo: float
    strength: float


class SoundTarget(msgspec.Struct, frozen=True):
    """What brings a sound to the loudness of a streaming service.

    Attributes:
        target_lufs: integrated loudness that is to be reached.
        ceiling_dbtp: true peak that must not be exceeded.
        gain_db: gain that gives the loudness of the target.
        limit_db: decibels by which the peaks would then exceed the ceiling; 0 if they would not.
        clean_gain_db: the largest gain up to ``gain_db`` that needs no limiter.
        clean_lufs: loudness after ``clean_gain_db``.
    """

    target_lufs: float
    ceiling_dbtp: float
    gain_db: float
    limit_db: float
    clean_gain_db: float
    clean_lufs: float


class SoundLoudness(msgspec.Struct, frozen=True):
    """Loudness by EBU R128; None for silence, for what is too short, and for unknown layouts of channels.

    Attributes:
        integrated_lufs: loudness of the whole, gated.
        momentary_max_lufs: the loudest 400 ms.
        short_term_max_lufs: the loudest 3 seconds.
        range_lu: loudness range.
        true_peak_dbtp: peak, that between the samples, too.
        replay_gain: tags of ReplayGain 2.0.
        streaming: what brings it to -14 LUFS and -1 dBTP.
    """

    integrated_lufs: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    replay_gain: dict[str, str]
    streaming: SoundTarget | None


class SoundTrackFeatures(msgspec.Struct, frozen=True):
    """What Spotify's audio-features said of a track, computed from its sound; None where nothing can be said.

    Attributes:
        tempo: beats a minute.
        key: 0 for C to 11 for B, -1 for none.
        mode: 1 for major, 0 for minor.
        time_signature: beats of a bar, 3 to 7.
        loudness: integrated loudness in LUFS.
        confidence: name of each value → 0 to 1.
    """

    tempo: float | None
    key: int
    mode: int | None
    time_signature: int | None
    loudness: float | None
    duration_ms: int
    energy: float | None
    danceability: float | None
    valence: float | None
    acousticness: float | None
    speechiness: float | None
    instrumentalness: float | None
    liveness: float | None
    confidence: dict[str, float]


class AudioAnalysis(msgspec.Struct, frozen=True):
    """The analysis of a sound.

    Attributes:
        rate: samples a second.
        marks: defects of the sound.
        measures: measure → value, such as ``loudness`` in LUFS.
        tempo: beats a minute.
        tempos: candidates for it, the strongest first.
        meter: beats of a bar; 0 for unknown.
        beats: seconds.
        downbeats: seconds.
        octaves: centre in Hz → decibels relative to the total power.
        deviations: deviation of the octaves from those of the catalogue.
        dynamic_range: decibels.
        classes: None without a promoted model, and for silence.
        structure: track, sections, bars, beats, tatums and segments, of the shape of Spotify's audio-analysis; None
            unless requested.
    """

    seconds: float
    rate: int
    channels: int
    marks: list[str]
    measures: dict[str, float | None]
    loudness: SoundLoudness
    tempo: float | None
    tempo_confidence: float
    tempos: list[SoundTempo]
    meter: int
    beats: list[float]
    downbeats: list[float]
    key: SoundKey | None
    octaves: dict[str, float]
    deviations: dict[str, float] | None
    peaks: list[SoundPeak]
    dynamic_range: float
    track_features: SoundTrackFeatures
    classes: SoundClasses | None
    model: str | None
    note: str | None = None
    structure: dict[str, Any] | None = None


class Detection(msgspec.Struct, frozen=True):
    """The detection for one observation.

    Attributes:
        p_value: share of normal observations that are as unusual; None if unknown.
        score: -log10 of the p-value.
        causes: feature or metric → share in the cause; for alarms only.
        verdict: empty, ``missing``, ``duplicate``, ``late``, ``clock`` or ``relearned``.
    """

    entity: str
    at: Time
    p_value: float | None
    score: float | None
    alarm: bool
    causes: dict[str, float]
    verdict: str


class Incident(msgspec.Struct, frozen=True):
    """Alarms that belong together; ``id`` is the same in every report of this incident."""

    id: str
    entity: str
    start: Time
    end: Time
    alarms: int
    p_value: float
    causes: dict[str, float]


class Detections(msgspec.Struct, frozen=True):
    """Detections in the order of the observations, and the incidents that they belong to."""

    detector: str
    model: str
    detections: list[Detection]
    incidents: list[Incident]
    note: str | None = None


class RefusedEvent(msgspec.Struct, frozen=True):
    """An event that was refused: its index in the request, from 0, and the reason."""

    place: int
    reason: str


class SentEvents(msgspec.Struct, frozen=True):
    """The outcome of sending events.

    Attributes:
        accepted: number of events that were appended to the stream.
        refused: the events that were not.
    """

    accepted: int
    refused: list[RefusedEvent]


class Health(msgspec.Struct, frozen=True):
    """The health of the service.

    Attributes:
        status: ``ok``.
        model: the recommender; None while none is promoted.
        lost_acts: acts that the process which answered could not write to the audit log.
    """

    status: str
    model: str | None
    lost_acts: int = 0


class Liveness(msgspec.Struct, frozen=True):
    """That the service answers; ``status`` is ``live``."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """That all that the routes need is there; ``models`` is model → version of the promoted models."""

    status: str
    models: dict[str, str]


class ServedModel(msgspec.Struct, frozen=True):
    """The models that answer one kind of request.

    Attributes:
        serves: kind of the requests.
        loaded: whether the process that answered has loaded it; each does at its first request.
        versions: model → name and version, as that process has it.
        swapped_at: when that process took the last promotion over.
        refused: why it did not take the newest promotion over; None if it did.
    """

    serves: str
    loaded: bool
    versions: dict[str, str]
    swapped_at: Time | None
    refused: str | None


class Variant(msgspec.Struct, frozen=True):
    """One arm of an experiment."""

    name: str
    weight: float
    settings: dict[str, Any]


class Experiment(msgspec.Struct, frozen=True):
    """One experiment.

    Attributes:
        buckets: first bucket and last bucket + 1, of the 10,000 buckets of the layer.
        share: share of the listeners in its buckets who take part.
        reason: why it was stopped.
    """

    name: str
    state: str
    mode: str
    layer: str
    buckets: list[int]
    share: float
    metric: str
    variants: list[Variant]
    started: Time | None
    stopped: Time | None
    reason: str


class Experiments(msgspec.Struct, frozen=True):
    """All experiments, and the share of listeners who take part in none."""

    holdout: float
    experiments: list[Experiment]
