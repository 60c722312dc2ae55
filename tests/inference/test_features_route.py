"""Features over HTTP: the same as the Python lookup returns, and errors with the next step."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app
from inference.api.schemas.common import RequestContext
from inference.features import OnlineFeatures


@pytest.fixture(scope="module")
def client(world: Home) -> Iterator[TestClient]:
    with TestClient(create_app(home=world)) as test_client:
        yield test_client


def test_features_are_those_of_the_lookup(client: TestClient, world: Home) -> None:
    keys = {"user_id": ["u000007", "u000008", "nobody"]}
    response = client.post("/v1/features/listener_v1", json={"keys": keys, "context": {"at": "2026-02-01T12:00:00Z"}})
    assert response.status_code == 200
    document = response.json()
    rows = OnlineFeatures("listener_v1", world).get(keys, {"request_timestamp": 1_769_947_200.0})
    assert document["fingerprint"] == rows.service.fingerprint
    assert document["rows"] == 3
    assert set(document["values"]) == set(rows.values)
    assert document["values"]["user_history__track_ids"][0] == list(rows.values["user_history__track_ids"][0])
    assert document["values"]["user_profile__birth_year"] == rows.values["user_profile__birth_year"]
    assert document["values"]["user_taste__vector"][0] == pytest.approx(rows.values["user_taste__vector"][0].tolist())
    assert document["values"]["user_history__track_ids"][2] is None


def test_keys_are_converted_and_a_null_finds_nothing(client: TestClient) -> None:
    keys = {"user_id": [None, "", 7, 7.0, "u000007"]}
    response = client.post("/v1/features/listener_v1", json={"keys": keys})
    assert response.status_code == 200, response.text
    histories = response.json()["values"]["user_history__track_ids"]
    assert histories[:4] == [None] * 4
    assert histories[4]


@pytest.mark.parametrize("wrong", [True, 7.5, 1e300, ["u"], {"u": 1}])
def test_a_key_that_cannot_be_one_is_a_problem(client: TestClient, wrong: object) -> None:
    response = client.post("/v1/features/listener_v1", json={"keys": {"user_id": [wrong]}})
    assert response.status_code == 422
    assert "user_id" in response.json()["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"request_timestamp": "tomorrow"},
        {"request_timestamp": 1e300},
        {"request_timestamp": 10**400},
        {"request_timestamp": [1, 2]},
        {"device": 5},
        {"device": ["phone", "tv"]},
    ],
)
def test_a_request_field_that_does_not_fit_is_a_problem(client: TestClient, fields: dict[str, object]) -> None:
    keys = {"user_id": ["a", "b", "c"]}
    response = client.post("/v1/features/listener_v1", json={"keys": keys, "request": fields})
    assert response.status_code == 422, response.text
    assert next(iter(fields)) in response.json()["detail"]
    response = client.post("/v1/features/listener_v1", json={"keys": {"user_id": ["a"]}, "request": {"device": None}})
    assert response.status_code == 200


def test_a_moment_without_an_offset_is_utc() -> None:
    for text in ("2026-02-01T12:00:00", "2026-02-01T12:00:00Z", "2026-02-01T14:00:00+02:00"):
        assert RequestContext.model_validate({"at": text}).request() == {"request_timestamp": 1_769_947_200.0}


@pytest.mark.parametrize(
    ("service", "body", "status"),
    [
        ("no_such_v1", {"keys": {"user_id": ["u"]}}, 404),
        ("listener_v1", {"keys": {}}, 422),
        ("listener_v1", {"keys": {"user_id": []}}, 422),
        ("listener_v1", {"keys": {"track_id": ["t"]}}, 422),
        ("listener_v1", {"keys": {"user_id": ["u"] * 1_001}}, 422),
        ("listener_v1", {"keys": {"user_id": ["u"]}, "more": 1}, 422),
        ("track_display_v1", {"keys": {"track_id": ["a", "b"], "artist_id": ["a", "b", "c"]}}, 422),
    ],
)
def test_what_cannot_be_looked_up_is_a_problem(
    client: TestClient, service: str, body: dict[str, object], status: int
) -> None:
    response = client.post(f"/v1/features/{service}", json=body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["next"]


def test_requests_have_names(client: TestClient) -> None:
    assert client.get("/health", headers={"x-request-id": "abc-1.2"}).headers["x-request-id"] == "abc-1.2"
    for request_id in ("", "a b", "x" * 65, "ü"):
        assigned = client.get("/health", headers={"x-request-id": request_id.encode()}).headers["x-request-id"]
        assert len(assigned) == 32
        assert assigned != request_id


def test_request_fields_are_those_of_the_lookup_and_unknown_names_are_refused(client: TestClient, world: Home) -> None:
    keys = {
        "user_id": ["u000007"],
        "track_id": ["t00001", "t00002"],
        "artist_id": ["a0001"],
        "platform_id": ["default"],
    }
    lookup = OnlineFeatures("recommendation_v1", world)
    keys = {name: keys[name] for name in lookup.service.join_keys}
    request = {"similar_score": [0.25, None], "follows_score": 0.5}
    response = client.post("/v1/features/recommendation_v1", json={"keys": keys, "request": request})
    assert response.status_code == 200, response.text
    values = response.json()["values"]
    assert values["candidate_match__similar"] == [0.25, 0.0]
    assert values["candidate_match__follows"] == [0.5, 0.5]
    for body, message in (
        ({"keys": {**keys, "banana": ["x"]}}, "a join key of recommendation_v1"),
        ({"keys": {**keys, "similar_score": [1.0]}}, "it is a request field"),
        ({"keys": keys, "request": {"banana": 1.0}}, "a request field of recommendation_v1"),
    ):
        response = client.post("/v1/features/recommendation_v1", json=body)
        assert response.status_code == 422, body
        assert message in response.json()["detail"]
