"""Each site id is a workspace of its own, so that many can share a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.sandbox.asking import TIMEOUT_SECONDS, Api

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"
WHO = {"identifiers": {"id": "5"}, "transactional_message_id": 3}
LISTS = ("people", "events", "objects", "metrics", "messages", "requests")


def track(api: Api, site: str, name: str = "purchase", **fields: object) -> int:
    """Have an event of person 5 arrive, of that workspace."""
    path = "/api/v1/customers/5/events"
    return api.post(path, json={"name": name, **fields}, auth=(site, "k")).status_code


def send(api: Api, key: str, **fields: object) -> str:
    """Send a push message with that App API key."""
    url = f"{api.sandbox.url}/v1/send/push"
    bearer = {"Authorization": f"Bearer {key}"}
    answer = requests.post(
        url, json={**WHO, **fields}, headers=bearer, timeout=TIMEOUT_SECONDS
    ).json()
    delivery_id: str = answer["delivery_id"]
    return delivery_id


def fill(api: Api, site: str, key: str) -> None:
    """Have something of everything in that workspace and in that of an App API key."""
    auth = (site, "k")
    operation = {"type": "object", "action": "identify"}
    track(api, site, id=ULID, data={"of": site})
    api.put("/api/v1/customers/5", json={"of": site}, auth=auth)
    which = {"object_type_id": "1", "object_id": site}
    api.post("/api/v2/entity", json={**operation, "identifiers": which}, auth=auth)
    api.post("/api/v1/metrics", json={"delivery_id": "d", "metric": "opened"}, auth=auth)
    send(api, key)


def of(sandbox: Sandbox, site: str) -> dict[str, int]:
    """How much of everything a workspace has."""
    found = {name: getattr(sandbox, name) for name in LISTS}
    return {name: sum(one.workspace == site for one in all_) for name, all_ in found.items()}


def test_workspaces_see_nothing_of_one_another(api: Api) -> None:
    """The same person, event id and object in each; without a name all are shown."""
    fill(api, "red", "secret-key-1111")
    fill(api, "blue", "secret-key-2222")

    for site in ("red", "blue"):
        assert of(api.sandbox, site) == {
            "people": 1,
            "events": 1,
            "objects": 1,
            "metrics": 1,
            "messages": 0,
            "requests": 4,
        }
        for name in LISTS:
            shown = api.get(f"/sandbox/{name}", params={"workspace": site}).json()
            assert {one["workspace"] for one in shown} == ({site} if name != "messages" else set())
        (event,) = api.get(f"/sandbox/events?workspace={site}").json()
        assert (event["data"], event["customer"]) == ({"of": site}, "5")
        person = api.sandbox.person("5", workspace=site)
        assert person is not None
        assert person.attributes == {"of": site}
        assert len(api.sandbox.events_of("5", workspace=site)) == 1
        assert api.get(f"/sandbox/people/5?workspace={site}").json()["attributes"] == {"of": site}
        latest = api.get(f"/sandbox/requests/latest?workspace={site}").json()
        assert latest["workspace"] == site
        assert api.get(f"/sandbox/events/{ULID}?workspace={site}").status_code == 200
        assert api.get(f"/sandbox/wait?event=purchase&timeout=0&workspace={site}").json() == event
    assert len(api.sandbox.events_of("5")) == 2
    assert api.sandbox.findings == []
    assert api.get("/sandbox/workspaces").json() == ["red", "1111", "blue", "2222"]
    assert len(api.get("/sandbox/events").json()) == 2
    assert api.get("/sandbox/events?workspace=none").json() == []
    assert api.get("/sandbox/wait?event=purchase&timeout=0&workspace=none").status_code == 408


def test_a_message_is_of_its_keys_workspace(api: Api) -> None:
    """Named by the last four characters; the key itself is shown nowhere."""
    delivery_id = send(api, "a-long-secret-1f2e")
    send(api, "a-long-secret-other")
    (message,) = api.get("/sandbox/messages?workspace=1f2e").json()
    assert message["delivery_id"] == delivery_id
    assert api.get("/sandbox/messages/latest/body?workspace=1f2e").status_code == 200
    assert "a-long" not in api.get("/sandbox/requests").text


def test_a_message_concerns_the_one_workspace_that_knows_the_person(api: Api) -> None:
    """A device that it brings, and an unsubscription from it; where two know them, neither."""
    device = {"token": "t", "platform": "ios"}
    track(api, "red")
    delivery_id = send(api, "secret-key-1111", custom_device=device)
    api.post(f"/unsubscribe/{delivery_id}", json={"unsubscribe": True}, auth=("", ""))
    (person,) = api.sandbox.people
    assert (person.workspace, list(person.devices)) == ("red", ["t"])
    assert person.attributes["unsubscribed"] is True

    track(api, "blue")
    send(api, "secret-key-1111", custom_device={**device, "token": "u"})
    tokens = {one.workspace: list(one.devices) for one in api.sandbox.people}
    assert tokens == {"red": ["t"], "blue": [], "1111": ["u"]}


def test_one_workspace_is_forgotten_alone(api: Api) -> None:
    """Numbers go on, its event ids are new again, and readers of the journal begin anew."""
    fill(api, "red", "secret-key-1111")
    fill(api, "blue", "secret-key-2222")
    mark = api.get("/sandbox/journal").json()["mark"]
    before = [request for request in api.sandbox.requests if request.workspace != "red"]

    assert api.post("/sandbox/reset?workspace=red").status_code == 200
    assert set(of(api.sandbox, "red").values()) == {0}
    assert api.sandbox.requests == before
    news = api.get("/sandbox/journal", params={"after": mark}).json()
    assert (news["after"], len(news["requests"])) == (None, len(before))
    assert len(api.sandbox.people) == 1

    track(api, "red", id=ULID)
    track(api, "blue", id=ULID)
    assert [finding.rule for finding in api.sandbox.findings] == ["repeat"]
    later = api.get("/sandbox/journal", params={"after": news["mark"]}).json()
    assert [request["index"] for request in later["requests"]] == [10, 11]
    assert api.sandbox.left["requests"] == 0


def test_credentials_that_are_not_let_in_make_no_workspace(api: Api) -> None:
    """Their requests are shown among all."""
    api.post("/api/v2/batch", json={"batch": []}, auth=("red", ""))
    assert [request.workspace for request in api.sandbox.requests] == [None]
    assert api.sandbox.workspaces == []


@pytest.mark.parametrize("how", ["python", "http"])
def test_one_workspace_misbehaves_alone(api: Api, how: str) -> None:
    """Until it is healed."""
    if how == "python":
        api.sandbox.fail_next(times=None, workspace="red")
    else:
        api.post("/sandbox/misbehave?workspace=red", json={"kind": "fail", "times": None})
    api.sandbox.fail_next(status=500, times=None, path="/nowhere")
    assert [track(api, site) for site in ("blue", "red", "blue", "red")] == [200, 503, 200, 503]
    api.sandbox.heal("blue")
    assert track(api, "red") == 503
    api.sandbox.heal("red")
    assert [track(api, site) for site in ("blue", "red")] == [200, 200]
    assert api.get("/nowhere").status_code == 500
