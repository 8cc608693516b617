"""What a plain HTTP request gets where a WebSocket is expected."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from famichat.realtime.channel import JoinRefused
from famichat.realtime.transport.endpoint import RETRY_AFTER, Endpoint, TooManyConnections, Unavailable, read_offer
from famichat.realtime.transport.longpoll import read_request


class UpgradeRequired:
    """Answers plain HTTP at `<path>/websocket`: 403 if the client would be refused, else 400 (rule 2). An ASGI app."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status = await self._status(Request(scope, receive))
        headers = {"retry-after": RETRY_AFTER} if status in {429, 503} else None
        await Response(status_code=status, headers=headers)(scope, receive, send)

    async def _status(self, request: Request) -> int:
        if request.method != "GET":
            return 400
        try:
            connect_request = read_request(request).connect
            self._endpoint.check_origin(connect_request, "websocket")
            offered = [entry.strip() for entry in request.headers.get("sec-websocket-protocol", "").split(",")]
            offer = read_offer([entry for entry in offered if entry])
            await self._endpoint.admit(replace(connect_request, token=offer.token), "websocket")
        except TooManyConnections:
            return 429
        except Unavailable:
            return 503
        except JoinRefused:
            return 403
        except ValueError:
            pass  # a malformed query gets the same answer as a valid one
        return 400
