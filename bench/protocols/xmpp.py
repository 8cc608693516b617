"""XMPP with the extensions that a chat client uses: multi-user chat, archive (XEP-0313), receipts (XEP-0184)."""

import base64
import re
from typing import Final

from bench.generator import Client, Protocol, Talk, body, gather

DOMAIN: Final = "localhost"
ROOMS: Final = f"conference.{DOMAIN}"
_OPEN: Final = (
    f"<?xml version='1.0'?><stream:stream to='{DOMAIN}' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
_PASSWORD: Final = "pw"  # noqa: S105 - of users in a temporary folder
_ID: Final = re.compile(rb"<message[^>]* id=['\"](\d+)['\"]")
_FIRST: Final = re.compile(rb"<first[^>]*>(.*?)</first>")
_PAGE: Final = 250


class Xmpp(Protocol):
    """Clients of ejabberd and Prosody."""

    async def register(self, users: int) -> None:
        """Create the first `users` accounts (XEP-0077)."""

        async def create(user: int) -> None:
            client = await self._opened(user)
            await self._ask(
                client,
                "<query xmlns='jabber:iq:register'>"
                f"<username>u{user}</username><password>{_PASSWORD}</password></query>",
            )
            client.close()

        await gather(map(create, range(users)))

    async def sign_in(self, user: int) -> Client:
        """Authenticate, bind a resource, and become available."""
        client = await self._opened(user)
        secret = base64.b64encode(f"\0u{user}\0{_PASSWORD}".encode()).decode()
        client.write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>".encode())
        if b"<success" not in (answer := await client.expect(r"<(success|failure).*?(/>|</failure>|</success>)")):
            raise ConnectionError(answer[:200])
        await self._open(client)
        await self._ask(client, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind>")
        client.write(b"<presence/>")
        await self._ask(client, "<ping xmlns='urn:xmpp:ping'/>", kind="get")
        return client

    async def enter(self, client: Client, talk: Talk) -> None:
        """Join a room, and create it if it is new; a pair needs nothing."""
        if talk.kind != "room":
            return
        room = self._address(client, talk)
        client.write(
            f"<presence to='{room}/u{client.user}'><x xmlns='http://jabber.org/protocol/muc'>"
            "<history maxstanzas='0'/></x></presence>".encode()
        )
        await client.expect(r"code=['\"]110['\"].*?</presence>")
        if client.user == 0:
            form = (
                "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>"
            )
            await self._ask(client, form, to=room)

    def message(self, client: Client, talk: Talk, stamp: int) -> bytes:
        """Encode a message stanza."""
        kind = b"groupchat" if talk.kind == "room" else b"chat"
        address = self._address(client, talk).encode()
        return b"<message to='%s' type='%s' id='%d'><body>%s</body></message>" % (address, kind, stamp, body(stamp))

    def receipt(self, client: Client, talk: Talk, data: bytes) -> bytes:
        """Encode a delivery receipt (XEP-0184)."""
        if not (ids := _ID.findall(data)):
            return b""
        kind = b"groupchat" if talk.kind == "room" else b"chat"
        address = self._address(client, talk).encode()
        received = b"<received xmlns='urn:xmpp:receipts' id='%s'/>" % ids[-1]
        return b"<message to='%s' type='%s'>%s</message>" % (address, kind, received)

    async def read_newest(self, client: Client, talk: Talk, count: int) -> int:
        """Page backwards through the archive of the conversation with the other user."""
        read, before = 0, "<before/>"
        while read < count:
            answer = await self._ask(client, self._archive_query(client, talk, min(_PAGE, count - read), before))
            read += (found := answer.count(b"<body>"))
            first = _FIRST.search(answer)
            if not found or first is None or re.search(rb"complete=['\"]true", answer):
                break
            before = f"<before>{first[1].decode()}</before>"
        return read

    def _archive_query(self, client: Client, talk: Talk, page: int, before: str) -> str:
        other = self._address(client, talk)
        return (
            "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
            f"<field var='with'><value>{other}</value></field></x>"
            f"<set xmlns='http://jabber.org/protocol/rsm'><max>{page}</max>{before}</set></query>"
        )

    async def _opened(self, user: int) -> Client:
        client = await Client(user).connect(self.port)
        await self._open(client)
        return client

    async def _open(self, client: Client) -> None:
        client.write(_OPEN.encode())
        await client.expect("</stream:features>")

    async def _ask(self, client: Client, query: str, *, kind: str = "set", to: str = "") -> bytes:
        address = f" to='{to}'" if to else ""
        client.write(f"<iq type='{kind}' id='q'{address}>{query}</iq>".encode())
        answer = await client.expect(r"<iq[^>]* id=['\"]q['\"][^>]*?(/>|>.*?</iq>)")
        if re.search(rb"<iq[^>]* type=['\"]error", answer):
            raise ConnectionError(answer[-300:])
        return answer

    @staticmethod
    def _address(client: Client, talk: Talk) -> str:
        return f"room{talk.number}@{ROOMS}" if talk.kind == "room" else f"u{client.user ^ 1}@{DOMAIN}"
