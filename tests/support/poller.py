"""A device that uses long polling because its network blocks WebSockets."""

import asyncio
import itertools
import json
from typing import Self

import httpx

from tests.support.channel_client import Frame


class Poller:
    """A session of long polls. `heard` are its frames, in order.

    Args:
        url: the server.
        token: an access token.
    """

    def __init__(self, url: str, token: str) -> None:
        self.received: list[Frame] = []
        self._http = httpx.AsyncClient(base_url=url, timeout=30)
        self._opening = {"vsn": "2.0.0", "token": token}
        self._refs = itertools.count(1)
        self._session = ""

    async def __aenter__(self) -> Self:
        self._session = (await self._http.get("/socket/longpoll", params=self._opening)).json()["token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, topic: str, event: str) -> str:
        """Send a frame, poll until the reply arrives, and return its status."""
        ref = str(next(self._refs))
        frame = json.dumps([ref if event == "phx_join" else None, ref, topic, event, {}])
        headers = {"content-type": "application/x-ndjson"}
        await self._http.post("/socket/longpoll", params=self._params, content=frame, headers=headers)
        async with asyncio.timeout(20):
            while True:
                frames, _ = await self.poll()
                replies = [each for each in frames if each.event == "phx_reply" and each.ref == ref]
                if replies:
                    return str(replies[0].status)

    async def poll(self) -> tuple[list[Frame], int]:
        """Poll once; return the messages and the status in the response body."""
        answer = (await self._http.get("/socket/longpoll", params=self._params, timeout=30)).json()
        frames = [Frame(*json.loads(message)) for message in answer.get("messages", [])]
        self.received += frames
        return frames, answer["status"]

    @property
    def _params(self) -> dict[str, str]:
        return {"vsn": "2.0.0", "token": self._session}
