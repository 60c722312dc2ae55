"""``/v1/encrypted``: scores of vectors that the service cannot read."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

import numpy as np
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from feature_repo.bundle import Bundle, open_bundle, promoted_models
from feature_repo.errors import AccessError, BundleError, InputError
from feature_repo.home import Home
from feature_repo.homomorphic.parameters import DEGREE, MAX_COLUMNS, MODULUS_BITS, padded
from feature_repo.model_theft import AnswerSettings
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.body import read_body
from inference.api.costs import ROTATIONS, charge, charge_in_thread, units_of
from inference.api.permission import Permission
from inference.api.predictions import PredictionService
from inference.api.recommendations import RecommendationService
from inference.api.schemas.encrypted import (
    ContextResponse,
    EncryptedModel,
    EncryptedModelsResponse,
    EncryptedRequest,
    EncryptedResponse,
)
from inference.api.theft import caller_of, check_questions
from inference.encrypted.contexts import SECONDS, Contexts
from inference.encrypted.evaluation import accept_context, evaluate
from inference.encrypted.linear_head import LinearHead
from inference.encrypted.model_matrix import ModelMatrix, count_rotations
from inference.workers import Workers

CONTEXT_UNITS = 3
"""Cost of a context: some 30 ms."""
MAX_ROTATIONS = 4_096
"""Maximum rotations of one question, some six seconds: 131,000 tracks with vectors of 64 numbers."""
TRACK = "track_id"
"""Join key of tracks, for ``keys_per_month`` of ``[model_theft]``: each track that is scored is one asked about."""
Kind = Literal["tracks", "binary", "number"]


@dataclass(frozen=True)
class _Question:
    """What one request is multiplied by, (d, n) weights, and what its scores are of."""

    model: str
    kind: Kind
    ids: list[str]
    weights: np.ndarray


class EncryptedService:
    """Scores encrypted vectors by the champions of one application.

    Args:
        home: the data folder.
        recommendations: the recommender, whose vectors of tracks are multiplied by those of listeners.
        predictions: the models of rows, of which the linear ones can answer.
        workers: what reads and evaluates the bytes of clients; threads of this process if None.
    """

    def __init__(
        self,
        home: Home,
        recommendations: RecommendationService,
        predictions: PredictionService,
        workers: Workers | None = None,
    ) -> None:
        self._home, self._recommendations, self._predictions = home, recommendations, predictions
        self.workers, self.contexts = workers or Workers(0, threads=1), Contexts(home)

    def models(self) -> list[EncryptedModel]:
        """List the promoted models that can answer."""
        models = []
        if self._recommendations.is_promoted:
            engine = self._recommendations.live.get()
            fit = _taste_fit(engine.bundle)
            dimensions = engine.catalogue.vectors("taste", []).shape[1]
            name = str(engine.bundle.manifest["name"])
            if fit is not None:
                models.append(
                    EncryptedModel(
                        model=name, kind="tracks", dimensions=dimensions, fit=fit, inputs=[], centers=[], units=[]
                    )
                )
        for name in promoted_models(self._home, "tabular"):
            try:
                head = LinearHead.of(open_bundle(name, self._home))
                padded(len(head.weights))
            except (BundleError, InputError):  # of trees, of too many inputs, or damaged
                continue
            models.append(
                EncryptedModel(
                    model=name,
                    kind=head.kind,
                    dimensions=len(head.weights),
                    fit=head.fit,
                    inputs=list(head.inputs),
                    centers=head.centers.tolist(),
                    units=head.units.tolist(),
                )
            )
        return [model for model in models if self._leaves_as_it_is(model.model)]

    def question(self, body: EncryptedRequest) -> _Question:
        """Find the numbers that a request is multiplied by.

        Raises:
            UnknownKey: there is no such model.
            AccessError: answers of the model are rounded or marked, which nobody can do to encrypted ones.
            InputError: the model is not linear, a track is unknown, the vector is of another fit, or it costs too much.
            BundleError: the model lacks its weights.
        """
        if not self._leaves_as_it_is(body.model):
            raise AccessError(
                expected="a model whose answers leave the service as they are",
                found=f"{body.model}, whose answers are rounded or marked: encrypted ones cannot be",
                next_command="see /docs: POST /v1/predictions",
            )
        if self._recommendations.is_promoted:
            engine = self._recommendations.live.get()
            if body.model == engine.bundle.manifest["name"]:
                self._check_taste_fit(body, engine.bundle)
                catalogue = engine.catalogue
                ids = catalogue.track_ids if body.tracks is None else body.tracks
                unknown = next((track for track in ids if track not in catalogue.place), None)
                if unknown is not None:
                    raise InputError(
                        expected="tracks of the model", found=f"no such track: {unknown!r}", next_command="see /docs"
                    )
                self._check_cost(catalogue.vectors("taste", []).shape[1], len(ids))
                vectors = catalogue.vectors("taste", catalogue.places(ids))
                return _Question(engine.bundle.name_version, "tracks", list(ids), vectors.T)
        bundle = self._predictions.model(body.model).bundle
        head = LinearHead.of(bundle)
        if body.tracks is not None:
            raise InputError(
                expected=f"a vector without tracks for {bundle.name_version}, a model of rows",
                found=f"{len(body.tracks):,} tracks",
                next_command="see /docs",
            )
        if body.fit != head.fit:  # numbers by other centers and units would give a wrong score in silence
            raise InputError(
                expected=f"a row by the centers and units of the fit {head.fit}, those of {bundle.name_version}",
                found="one without its fit" if body.fit is None else f"one of the fit {body.fit}",
                next_command="see /docs: GET /v1/encrypted/models",
            )
        return _Question(bundle.name_version, head.kind, ["score"], head.weights[:, None])

    def _leaves_as_it_is(self, model: str) -> bool:
        return self._predictions.settings.answers_of(model) == AnswerSettings()

    @staticmethod
    def _check_cost(dimensions: int, columns: int) -> None:
        rotations = count_rotations(dimensions, columns)
        if rotations > MAX_ROTATIONS:
            raise InputError(
                expected=f"at most {MAX_ROTATIONS:,} rotations: numbers of the vector for every {MAX_COLUMNS:,} tracks",
                found=f"{rotations:,}",
                next_command="name the tracks to score",
            )

    @staticmethod
    def _check_taste_fit(body: EncryptedRequest, bundle: Bundle) -> None:
        fit = _taste_fit(bundle)
        if fit is None:
            raise InputError(
                expected="a recommender with taste vectors",
                found=f"{bundle.name_version}, which compares no listeners, as private and federated ones",
                next_command="see /docs: GET /v1/encrypted/models",
            )
        if body.fit is not None and body.fit != fit:
            raise InputError(
                expected=f"a vector of the fit {fit}, by which the tracks were learned",
                found=f"one of the fit {body.fit}",
                next_command="see /docs: GET /v1/encrypted/models",
            )


def install(app: FastAPI, service: EncryptedService, permission: Permission) -> None:
    """Add the routes."""
    content_type = {"schema": {"type": "string", "format": "binary"}}

    @app.get(
        "/v1/encrypted/models", responses=errors.RESPONSES, tags=["encrypted"], operation_id="list_encrypted_models"
    )
    def models(request: Request) -> EncryptedModelsResponse:
        """Lists the models that answer about encrypted vectors: what a vector is, and how it is encrypted."""
        permission.check_everything(request, "scores of encrypted vectors")
        return EncryptedModelsResponse(degree=DEGREE, modulus_bits=list(MODULUS_BITS), models=service.models())

    @app.post(
        "/v1/encrypted/contexts",
        responses=errors.RESPONSES,
        tags=["encrypted"],
        operation_id="send_encryption_keys",
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": content_type}}},
    )
    async def contexts(request: Request) -> ContextResponse:
        """Takes the public part of a context of CKKS, by which vectors are encrypted, for an hour.

        The body is what TenSEAL writes: parameters, public key and keys of rotations, at most 4 MB. One with the key
        that decrypts is refused. It counts as three requests; four contexts of a key are kept at a time.
        """
        await run_in_threadpool(permission.check_everything, request, "scores of encrypted vectors")
        content = await read_body(request)
        await charge(request, CONTEXT_UNITS, "keys of encryption")
        context = await service.workers.run(accept_context, content)
        digest = hashlib.sha256(content).hexdigest()
        await run_in_threadpool(service.contexts.put, _owner(request), digest, context)
        return ContextResponse(context=digest, expires_s=SECONDS)

    @app.post("/v1/encrypted/scores", responses=errors.RESPONSES, tags=["encrypted"], operation_id="score_encrypted")
    async def scores(request: Request, body: EncryptedRequest) -> EncryptedResponse:
        """Multiplies an encrypted vector by the vectors of tracks, or by the weights of a linear model.

        Nothing is looked up: rights, consent and what was heard play no part, and the answer is the plain product. Each
        score counts as a new question; eight rotations, of which there are as many as numbers in the vector for every
        2,047 tracks, count as a request.
        """
        context, question, matrix = await run_in_threadpool(_prepare, request, body)
        blocks = await service.workers.run(evaluate, context, body.vector, matrix.blocks)
        return EncryptedResponse(
            model=question.model,
            kind=question.kind,
            ids=question.ids,
            norm=matrix.norm,
            scores=[base64.b64encode(block).decode() for block in blocks],
        )

    def _prepare(request: Request, body: EncryptedRequest) -> tuple[bytes, _Question, ModelMatrix]:
        permission.check_everything(request, "scores of encrypted vectors")
        context = service.contexts.get(_owner(request), body.context)
        question = service.question(body)
        units = 1 + units_of(count_rotations(*question.weights.shape), ROTATIONS)
        charge_in_thread(request, units, "rotations of an encrypted vector")
        audit_act(request, "encrypted scores", model=question.model, scores=len(question.ids))
        name, nonce = question.model.partition(":")[0], secrets.token_hex(8)
        check_questions(request, name, [])  # who is held back in the open is held back here
        questions = [f"{nonce} {place}" for place in range(len(question.ids))]
        tracks = {TRACK: question.ids} if question.kind == "tracks" else {}
        check_questions(request, f"encrypted {name}", questions, people=tracks, raises_alarms=False)
        return context, question, ModelMatrix.of(question.weights, question.model)


def _taste_fit(bundle: Bundle) -> int | None:
    """Return the fit of the taste vectors of a recommender; None if it has none."""
    return bundle.manifest["extra"].get("taste_fit") or None


def _owner(request: Request) -> str:
    caller = caller_of(request)
    return "" if caller is None else caller.id
