"""Client-side uploads and downloads: request, send the content, send the message; fetch attachments."""

from collections.abc import AsyncIterable
from typing import Any

import httpx


async def announce(client: httpx.AsyncClient, conversation_id: str, size: int, **fields: Any) -> dict[str, Any]:
    """Begin an upload."""
    answer = await client.post(f"/conversations/{conversation_id}/attachments", json={"size": size, **fields})
    assert answer.status_code == 201, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


async def send_piece(
    client: httpx.AsyncClient, attachment_id: str, offset: int, data: bytes | AsyncIterable[bytes]
) -> httpx.Response:
    """Send some of it."""
    return await client.patch(f"/attachments/{attachment_id}", content=data, headers={"upload-offset": str(offset)})


async def upload(client: httpx.AsyncClient, conversation_id: str, data: bytes, **fields: Any) -> dict[str, Any]:
    """Upload a whole file; gives what the server says of it then."""
    begun = await announce(client, conversation_id, len(data), **fields)
    answer = await send_piece(client, begun["id"], 0, data)
    assert answer.status_code == 200, answer.text
    whole: dict[str, Any] = answer.json()
    assert whole["finished"]
    return whole


async def say_with(
    client: httpx.AsyncClient, conversation_id: str, *attachment_ids: str, **fields: Any
) -> dict[str, Any]:
    """Send a message with attachments."""
    body = {"body": "", "message_type": "file", "attachment_ids": attachment_ids, **fields}
    answer = await client.post(f"/conversations/{conversation_id}/messages", json=body)
    assert answer.status_code in {200, 201}, answer.text
    message: dict[str, Any] = answer.json()
    return message


async def address(client: httpx.AsyncClient, attachment_id: str, part: str = "file") -> httpx.URL:
    """Return the download URL of an attachment for this user."""
    answer = await client.get(f"/attachments/{attachment_id}/address")
    assert answer.status_code == 200, answer.text
    return client.base_url.join(answer.json()[part])


async def fetched(client: httpx.AsyncClient, attachment_id: str, part: str = "file") -> httpx.Response:
    """The attachment itself, fetched as a page would: without a token."""
    async with httpx.AsyncClient(timeout=30) as page:
        answer = await page.get(await address(client, attachment_id, part))
    assert answer.status_code == 200, answer.text
    return answer
