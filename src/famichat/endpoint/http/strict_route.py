"""Routes that parse request bodies as strict JSON, by the same rules as WebSocket frames.

FastAPI parses the body before it resolves dependencies. These routes check the signature of the access token first.
"""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from famichat.endpoint.http.context import caller, check_signature
from famichat.endpoint.http.operation_ids import operation_id
from famichat.realtime import strict_json

# FastAPI looks for models of Pydantic 1 in each route, and loads the compatibility package (3 MB) for that if it can.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]  # makes its import raise ImportError


class StrictRequest(Request):
    """A request whose body must be strict JSON."""

    async def json(self) -> Any:
        """Parse the body.

        Raises:
            InvalidJSON: the body is not strict JSON.
        """
        return strict_json.loads(await self.body())


class StrictRoute(APIRoute):
    """A route that parses its request body as strict JSON. Pass it to a router as `route_class`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler, so that it calls `StrictRequest.json`."""
        handle = super().get_route_handler()
        needs_token = any(dependency.call is caller for dependency in self.dependant.dependencies)

        async def handle_strict_request(request: Request) -> Response:
            if needs_token:
                await check_signature(request)
            try:
                return await handle(StrictRequest(request.scope, request.receive))
            except HTTPException as fault:
                # FastAPI turns every exception of `json()` into an HTTPException.
                if isinstance(fault.__cause__, strict_json.InvalidJSON):
                    raise fault.__cause__ from None
                raise

        return handle_strict_request


def api_router(path: str, tag: str) -> APIRouter:
    """Create a router for routes of the HTTP API.

    Args:
        path: the common prefix of the routes, below `/api/v1`.
        tag: the OpenAPI tag, which groups the routes in the documentation.
    """
    return APIRouter(
        prefix=f"/api/v1{path}", tags=[tag], route_class=StrictRoute, generate_unique_id_function=operation_id
    )
