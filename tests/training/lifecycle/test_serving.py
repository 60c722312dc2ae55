"""A user-defined model in serving: predictions equal training, also over HTTP, and a new version replaces it."""

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.materialize import newest_feature
from inference import RowModel
from inference.api.app import create_app
from training import promotions
from training.models.base import Model
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from training.pipeline.models import run_model
from transforms.raw.read import plays


def test_online_answers_are_those_of_training(own_model: Model, own_world: Home) -> None:
    assert isinstance(own_model, TabularModel)
    run_model(own_world, own_model)
    promotions.promote(own_world, "own_model", 1)
    recent_plays = plays(own_world).filter(pl.col("artist_id").is_not_null()).tail(40).collect()
    online_time = newest_feature(own_world)  # the small world is online as of this time
    requested_rows = recent_plays.select("user_id", "track_id", "artist_id").with_columns(
        event_timestamp=pl.lit(online_time).cast(pl.Datetime("us", "UTC")),
        device=pl.lit("phone"),
        context=pl.lit("playlist"),
        label=pl.lit(0),
    )
    offline = ServedTabular.load(own_world, "own_model").predict(
        own_model.pull_rows(own_world, requested_rows.unique())
    )
    rows = requested_rows.unique().sort("event_timestamp", *sorted(set(requested_rows.columns) - {"event_timestamp"}))
    keys = {name: rows[name].to_list() for name in ("user_id", "track_id", "artist_id")}
    moment = rows["event_timestamp"][0]
    request = {"request_timestamp": moment.timestamp(), "device": "phone", "context": "playlist"}
    online = RowModel.load("own_model", own_world).predict(keys, request)
    np.testing.assert_allclose(online.values, offline, atol=1e-5)
    assert online.model == "own_model:1"
    assert online.known.all()

    app = create_app(home=own_world)
    with TestClient(app) as client:
        body = {"keys": keys, "context": {"at": moment.isoformat(), "device": "phone", "context": "playlist"}}
        response = client.post("/v1/predictions/own_model", json=body)
        assert response.status_code == 200, response.text
        np.testing.assert_allclose(response.json()["values"], offline, atol=1e-5)
        assert response.json()["kind"] == "binary"
        for name in ("recommendation", "nobody", "..%2f..", "own_model:1"):
            assert client.post(f"/v1/predictions/{name}", json=body).status_code == 404, name
        assert client.post("/v1/predictions/own_model", json={"keys": {"user_id": ["u"]}}).status_code == 422
        unknown_keys = {"user_id": ["nobody"], "track_id": ["nothing"], "artist_id": ["none"]}
        body["keys"] = unknown_keys
        unknown_prediction = client.post("/v1/predictions/own_model", json=body).json()
        unknown = requested_rows.head(1).with_columns(pl.lit(name[0]).alias(key) for key, name in unknown_keys.items())
        offline_unknown = ServedTabular.load(own_world, "own_model").predict(own_model.pull_rows(own_world, unknown))
        np.testing.assert_allclose(unknown_prediction["values"], offline_unknown, atol=1e-5)
        body["keys"] = keys
        # the server loads the new version
        run_model(own_world, own_model, parameters={"trees": 3})
        promotions.promote(own_world, "own_model", 2)
        versions = {entry["serves"]: entry["versions"] for entry in client.get("/v1/models").json()["models"]}
        assert versions["predictions: own_model"] == {"own_model": "own_model:1"}
        import time

        deadline = time.monotonic() + 20
        while client.post("/v1/predictions/own_model", json=body).json()["model"] != "own_model:2":
            assert time.monotonic() < deadline
            time.sleep(0.2)
    with pytest.raises(BundleError, match="a model of rows"):
        RowModel.load("recommendation", own_world)
