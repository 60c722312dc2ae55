"""A model of somebody's own, served: the same answers as in training, over HTTP, and its successor taken over."""

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.materialize import newest_feature
from inference import RowModel
from inference.api.app import create_app
from training import registry
from training.models.base import Model
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from training.pipeline.models import run_model
from transforms.raw.read import plays


def test_online_answers_are_those_of_training(own_model: Model, own_world: Home) -> None:
    assert isinstance(own_model, TabularModel)
    run_model(own_world, own_model)
    registry.promote(own_world, "own_model", 1)
    some = plays(own_world).filter(pl.col("artist_id").is_not_null()).tail(40).collect()
    end = newest_feature(own_world)  # as of when the small world is online
    asked = some.select("user_id", "track_id", "artist_id").with_columns(
        event_timestamp=pl.lit(end).cast(pl.Datetime("us", "UTC")),
        device=pl.lit("phone"),
        context=pl.lit("playlist"),
        label=pl.lit(0),
    )
    offline = ServedTabular.load(own_world, "own_model").predict(own_model.pull_rows(own_world, asked.unique()))
    rows = asked.unique().sort("event_timestamp", *sorted(set(asked.columns) - {"event_timestamp"}))
    keys = {name: rows[name].to_list() for name in ("user_id", "track_id", "artist_id")}
    at = rows["event_timestamp"][0]
    request = {"request_timestamp": at.timestamp(), "device": "phone", "context": "playlist"}
    online = RowModel.load("own_model", own_world).predict(keys, request)
    np.testing.assert_allclose(online.values, offline, atol=1e-5)
    assert online.model == "own_model:1"
    assert online.known.all()

    app = create_app(home=own_world)
    with TestClient(app) as client:
        body = {"keys": keys, "context": {"at": at.isoformat(), "device": "phone", "context": "playlist"}}
        told = client.post("/v1/predictions/own_model", json=body)
        assert told.status_code == 200, told.text
        np.testing.assert_allclose(told.json()["values"], offline, atol=1e-5)
        assert told.json()["kind"] == "binary"
        for name in ("recommendation", "nobody", "..%2f..", "own_model:1"):
            assert client.post(f"/v1/predictions/{name}", json=body).status_code == 404, name
        assert client.post("/v1/predictions/own_model", json={"keys": {"user_id": ["u"]}}).status_code == 422
        strangers = {"user_id": ["nobody"], "track_id": ["nothing"], "artist_id": ["none"]}
        nothing = client.post("/v1/predictions/own_model", json={"keys": strangers}).json()
        assert 0 <= nothing["values"][0] <= 1
        # a successor is taken over
        run_model(own_world, own_model, parameters={"trees": 3})
        registry.promote(own_world, "own_model", 2)
        names = {one["serves"]: one["versions"] for one in client.get("/v1/models").json()["models"]}
        assert names["predictions: own_model"] == {"own_model": "own_model:1"}
        import time

        end_by = time.monotonic() + 20
        while client.post("/v1/predictions/own_model", json=body).json()["model"] != "own_model:2":
            assert time.monotonic() < end_by
            time.sleep(0.2)
    with pytest.raises(BundleError, match="a model of rows"):
        RowModel.load("recommendation", own_world)
