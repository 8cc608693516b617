"""Famichat's protocol: Phoenix Channels (vsn 2.0.0) over WebSocket."""

import re
from typing import Any, Final, NamedTuple

import orjson

from bench.generator import ENCRYPTED_BYTES, UPGRADE, Client, Protocol, Talk, body, websocket_frame

_SEQ: Final = re.compile(rb'"seq":(\d+),"user_id"')
PAGE: Final = 200
# As the web client sends it. The server cannot tell a real ciphertext from this body, and does the same work.
_ENCRYPTED: Final = (
    b'["1","R%d","%s","new_msg",{"body":"%s","client_id":"%032x","encryption_flag":true,"encryption_version":"famichat.1",'
    b'"protocol":"mls10","key_id":"0:1","epoch":1,"sender_device_id":"%s"}]'
)


class Directory(NamedTuple):
    """What a client of a filled Famichat must know.

    Attributes:
        tokens: an access token for each user.
        user_ids: the ids of the users.
        topics: the topic of each conversation.
        device_ids: the device of each user.
    """

    tokens: list[str]
    user_ids: list[str]
    topics: dict[Talk, str]
    device_ids: list[str]


class Phoenix(Protocol):
    """Clients of Famichat that behave like its web client."""

    def __init__(self, port: int, directory: Directory) -> None:
        super().__init__(port)
        self._directory = directory
        self._acknowledged = 0

    async def sign_in(self, user: int) -> Client:
        """Connect, and join the user's own topic."""
        client = await Client(user).connect(self.port)
        path = f"/socket/websocket?vsn=2.0.0&token={self._directory.tokens[user]}"
        client.write(UPGRADE.format(path=path, port=self.port).encode())
        if b" 101 " not in (head := await client.expect("\r\n\r\n")):
            raise ConnectionError(head[:200])
        await self.call(client, "u", f"user:{self._directory.user_ids[user]}", "phx_join", {})
        return client

    async def enter(self, client: Client, talk: Talk) -> None:
        """Join the conversation's topic."""
        await self.call(client, "1", self._directory.topics[talk], "phx_join", {})

    def message(self, client: Client, talk: Talk, stamp: int) -> bytes:
        """Encode `new_msg`."""
        if talk.kind == "encrypted":
            return websocket_frame(
                _ENCRYPTED
                % (
                    stamp,
                    self._directory.topics[talk].encode(),
                    body(stamp, ENCRYPTED_BYTES),
                    stamp,
                    self._directory.device_ids[client.user].encode(),
                )
            )
        return websocket_frame(
            b'["1","R%d","%s","new_msg",{"body":"%s","client_id":"c%d-%d"}]'
            % (stamp, self._directory.topics[talk].encode(), body(stamp), client.user, stamp)
        )

    def receipt(self, client: Client, talk: Talk, data: bytes) -> bytes:
        """Encode `message_ack`, as the web client sends it for the newest message that it has just received."""
        if not (seqs := _SEQ.findall(data)):
            return b""
        self._acknowledged += 1
        return websocket_frame(
            b'["1","A%d","%s","message_ack",{"seq":%s,"status":"delivered"}]'
            % (self._acknowledged, self._directory.topics[talk].encode(), seqs[-1])
        )

    async def read_newest(self, client: Client, talk: Talk, count: int) -> int:
        """Join, which gives the newest page, and fetch the pages before it."""
        topic = self._directory.topics[talk]
        page = await self.call(client, "1", topic, "phx_join", {})
        read = len(page["messages"])
        while read < count and page["has_more"]:
            before = {"before_seq": page["messages"][0]["seq"], "limit": PAGE}
            page = await self.call(client, f"f{read}", topic, "fetch", before)
            read += len(page["messages"])
        return read

    async def resume(self, client: Client, talk: Talk) -> None:
        """Join with the last known `seq`."""
        await self.call(client, "1", self._directory.topics[talk], "phx_join", {"last_seq": 0})

    async def call(self, client: Client, ref: str, topic: str, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Push an event and return the response.

        Raises:
            ConnectionError: the status of the reply is not ok, or the connection is lost.
        """
        join_ref = ref if event == "phx_join" else "1"
        client.write(websocket_frame(orjson.dumps([join_ref, ref, topic, event, payload])))
        await client.expect(rf'\["{join_ref}","{ref}","{topic}","phx_reply",')
        reply = await client.expect(r"\}\]")
        while (answer := _parsed(reply[:-1])) is None:
            reply += await client.expect(r"\}\]")
        if answer["status"] != "ok":
            raise ConnectionError(f"{event}: {reply[:200]!r}")
        response: dict[str, Any] = answer["response"]
        return response


def _parsed(reply: bytes) -> dict[str, Any] | None:
    """Parse a reply; None if the end that was found is the end of a list inside it."""
    try:
        answer: dict[str, Any] = orjson.loads(reply)
    except orjson.JSONDecodeError:
        return None
    return answer
