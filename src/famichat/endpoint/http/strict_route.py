"""Routes that read a request's body as strict JSON, as the socket reads its frames."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from famichat.endpoint.http.operation_ids import operation_id
from famichat.realtime import strict_json


class StrictRequest(Request):
    """A request whose body must be strict JSON."""

    async def json(self) -> Any:
        """Read the body.

        Raises:
            InvalidJSON: it is not strict JSON.
        """
        return strict_json.loads(await self.body())


class StrictRoute(APIRoute):
    """Give to a router as `route_class`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler, which asks the request for its JSON."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            try:
                return await handle(StrictRequest(request.scope, request.receive))
            except HTTPException as fault:
                # FastAPI makes one of whatever reading the body raises.
                if isinstance(fault.__cause__, strict_json.InvalidJSON):
                    raise fault.__cause__ from None
                raise

        return handle_strictly


def api_router(below: str, tag: str) -> APIRouter:
    """A router for addresses of the HTTP API.

    Args:
        below: where they are, below `/api/v1`.
        tag: the heading that they have in the description.
    """
    return APIRouter(
        prefix=f"/api/v1{below}", tags=[tag], route_class=StrictRoute, generate_unique_id_function=operation_id
    )
