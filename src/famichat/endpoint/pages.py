"""The pages that people open: the client at `/`, the live event viewer at `/events`, and what they load.

They are built from `web/` into `famichat/static` and shipped in this package; nothing is loaded from anywhere else.
"""

import mimetypes
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from famichat.chat.errors import NotFound

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html famichat-worker"
)
# Swagger UI is not ours: it writes style attributes and plain HTML.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_STATIC = files("famichat") / "static"
_FOREVER = "public, max-age=31536000, immutable"
_MAX_NAME = 255  # a file system refuses to look for a longer one, instead of not finding it

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/invite")
async def client() -> Response:
    """The client; an invitation opens it too, with its token in the fragment, which browsers do not send."""
    return _file("index.html", CONTENT_SECURITY_POLICY)


@router.get("/events")
async def events() -> Response:
    """The live event viewer, for developers (story 7.4.1)."""
    return _file("events.html", CONTENT_SECURITY_POLICY)


@router.get("/api/docs")
async def docs() -> Response:
    """The HTTP API, to browse and try."""
    return _file("docs.html", DOCS_POLICY)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """A part of a page. Its name holds a hash of what is in it, so it may be kept for ever."""
    return _file(f"assets/{name}", CONTENT_SECURITY_POLICY, _FOREVER)


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The icon, where browsers look by themselves when they show something that names none."""
    return _file("favicon.svg", CONTENT_SECURITY_POLICY)


@router.get("/{name}")
async def root_file(name: str) -> Response:
    """An icon, the manifest, and the like."""
    return _file(name, CONTENT_SECURITY_POLICY)


def _file(name: str, policy: str, cache: str = "no-cache") -> Response:
    # `name` is one path segment, or "assets/" and one: the router lets no slash through.
    found = _STATIC.joinpath(name)
    if len(name.encode()) > _MAX_NAME or ".." in name or "\\" in name or not found.is_file():
        raise NotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"content-security-policy": policy, "cache-control": cache}
    return Response(found.read_bytes(), headers=headers, media_type=kind)
