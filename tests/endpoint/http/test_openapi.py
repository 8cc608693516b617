"""The OpenAPI document is valid, complete and correct."""

import json
import re
from typing import Any

import httpx
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from famichat.endpoint.http.middleware import MAX_REQUEST_BYTES
from famichat.endpoint.http.operation_ids import OPERATION_IDS
from famichat.error_codes import CODES
from famichat.storage.base import new_id
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

Operation = tuple[str, str, dict[str, Any]]


async def described(app: RunningApp) -> dict[str, Any]:
    async with app.site() as site:
        document: dict[str, Any] = (await site.get("/api/openapi.json")).json()
    return document


def operations(document: dict[str, Any]) -> list[Operation]:
    return [(verb, path, each) for path, verbs in document["paths"].items() for verb, each in verbs.items()]


async def test_the_description_is_valid_openapi(shared_app: RunningApp) -> None:
    document = await described(shared_app)

    assert document["openapi"].startswith("3.1.")
    assert [fault.message for fault in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


async def test_every_reference_leads_somewhere(shared_app: RunningApp) -> None:
    document = await described(shared_app)

    def references(node: Any) -> list[str]:
        match node:
            case {"$ref": str(reference)}:
                return [reference]
            case dict():
                return [found for value in node.values() for found in references(value)]
            case list():
                return [found for value in node for found in references(value)]
            case _:
                return []

    for reference in references(document):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in document["components"][kind]


async def test_every_route_has_a_description_and_a_response(shared_app: RunningApp) -> None:
    for verb, path, operation in operations(await described(shared_app)):
        assert operation["summary"], (verb, path)
        assert operation["tags"], (verb, path)
        given = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        assert given, (verb, path)
        for status, answer in given.items():
            assert (status == "204") == ("content" not in answer), (verb, path)
            if status != "204" and set(answer["content"]) == {"image/webp"}:
                continue
            assert (
                status == "204" or "$ref" in answer["content"]["application/json"]["schema"] or path.endswith("/accept")
            ), (verb, path)


async def test_every_operation_has_a_short_id_of_its_own(shared_app: RunningApp) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(await described(shared_app))]

    assert sorted(ids) == sorted([*OPERATION_IDS.values(), "broadcast"])
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", each) for each in ids)


async def test_nothing_in_it_is_named_after_a_module(shared_app: RunningApp) -> None:
    document = await described(shared_app)
    text = json.dumps(document)

    assert "famichat" not in text
    assert "__" not in text
    assert not [name for name in document["components"]["schemas"] if name.endswith("View")]
    for name, schema in document["components"]["schemas"].items():
        assert schema["title"] == name


async def test_the_messages_of_routes_and_events_are_one_schema(shared_app: RunningApp) -> None:
    document = await described(shared_app)
    message = {"$ref": "#/components/schemas/Message"}
    paths, channel = document["paths"], document["x-websocket-events"]["topics"]["message:{type}:{conversation_id}"]
    one = paths["/api/v1/conversations/{conversation_id}/messages/{message_id}"]["get"]

    assert one["responses"]["200"]["content"]["application/json"]["schema"] == message
    assert channel["events"]["new_msg"] == message
    assert document["components"]["schemas"]["MessagePage"]["properties"]["messages"]["items"] == message
    assert channel["replies"]["fetch"] == {"$ref": "#/components/schemas/MessagePage"}


async def test_every_refusal_is_described_from_the_table_of_errors(shared_app: RunningApp) -> None:
    document = await described(shared_app)

    answers = document["components"]["responses"]
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(CODES)
    for name, code in CODES.items():
        assert f"`{name}`" in answers[f"Problem{code.status}"]["description"]
        assert list(answers[f"Problem{code.status}"]["content"]) == ["application/problem+json"]
    for verb, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "4":
                assert answer == {"$ref": f"#/components/responses/Problem{status}"}, (verb, path)


async def test_every_route_is_refused_only_as_described(shared_app: RunningApp) -> None:
    async with shared_app.site() as site:
        for verb, path, operation in operations(await described(shared_app)):
            for answer in await refusals(site, verb, path, operation):
                what = (verb, path, answer.status_code, answer.text)
                assert str(answer.status_code) in operation["responses"], what
                if answer.is_error:
                    assert answer.headers["content-type"] == "application/problem+json", what
                    assert CODES[answer.json()["code"]].status == answer.status_code == answer.json()["status"], what


async def refusals(site: httpx.AsyncClient, verb: str, path: str, operation: dict[str, Any]) -> list[httpx.Response]:
    """Return the responses of a route to common errors."""
    fields = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
    unknown = path.format(**dict.fromkeys(fields, new_id()))
    malformed = path.format(**dict.fromkeys(fields, "%00%ff"))
    json = {"content-type": "application/json"}
    # Each route gets a separate device, because one of them signs it out.
    signed_in = await site.post("/api/v1/sessions", json={"username": "maja", "password": PASSWORD})
    bearer = {"authorization": f"Bearer {signed_in.json()['access_token']}"}
    answers = [
        await site.request(verb, unknown),
        await site.request(verb, unknown, headers={"authorization": "Bearer nonsense"}),
        await site.request(verb, unknown, headers={"authorization": "Basic bWFqYTptYWph"}),
        await site.request(verb, unknown, params={"limit": "x", "hidden": "x"}, headers=bearer),
    ]
    if verb != "get":
        answers.append(await site.request(verb, unknown, content=b"x" * (MAX_REQUEST_BYTES + 1), headers=bearer | json))
    if "requestBody" in operation:
        wrong = (b"", b"{", b"[]", b'{"a": NaN}', b'{"surprise": 1}', b"\xff")
        answers += [await site.request(verb, unknown, content=body, headers=bearer | json) for body in wrong]
        answers.append(await site.request(verb, unknown, content=b"a=b"))
    answers.append(await site.request(verb, malformed, headers=bearer))
    answers.append(await site.request(verb, unknown, headers=bearer))
    return answers
