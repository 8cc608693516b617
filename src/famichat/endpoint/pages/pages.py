"""The pages that people open: the client at `/`, the live event viewer at `/events`, and what they load.

They are built from `web/` into `famichat/static` and shipped in this package; nothing is loaded from anywhere else.
"""

import mimetypes
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import InContext
from famichat.endpoint.pages.brand import STYLE_PATH, Brand

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html famichat-worker"
)
# Swagger UI is not ours: it writes style attributes and plain HTML.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# A picture that somebody else drew may hold scripts; shown by itself it must not run them.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_STATIC = files("famichat") / "static"
_FOREVER = "public, max-age=31536000, immutable"
_MAX_NAME = 255  # a file system refuses to look for a longer one, instead of not finding it

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/invite")
async def client(context: InContext) -> Response:
    """The client; an invitation opens it too, with its token in the fragment, which browsers do not send."""
    return _page("index.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/events")
async def events(context: InContext) -> Response:
    """The live event viewer, for developers (story 7.4.1)."""
    return _page("events.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/api/docs")
async def docs(context: InContext) -> Response:
    """The HTTP API, to browse and try."""
    return _page("docs.html", DOCS_POLICY, context.brand)


@router.get(STYLE_PATH)
async def style(context: InContext) -> Response:
    """The operator's colour, where there is one."""
    return _answer(context.brand.style.encode(), "text/css", CONTENT_SECURITY_POLICY)


@router.get("/manifest.webmanifest")
async def manifest(context: InContext) -> Response:
    """What browsers know of the app that they install."""
    made = context.brand.manifest(_found("manifest.webmanifest"))
    return _answer(made, "application/manifest+json", CONTENT_SECURITY_POLICY)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """A part of a page. Its name holds a hash of what is in it, so it may be kept for ever."""
    return _file(f"assets/{name}", CONTENT_SECURITY_POLICY, _FOREVER)


@router.get("/favicon.svg")
@router.get("/favicon.ico")
async def favicon(context: InContext) -> Response:
    """The logo; also where browsers look by themselves when they show something that names none."""
    logo, kind = context.brand.picture("favicon.svg") or (_found("favicon.svg"), "image/svg+xml")
    return _answer(logo, kind, LOGO_POLICY)


@router.get("/worker.js")
async def worker(context: InContext) -> Response:
    """What lets the app open without a network, and shows notices."""
    return _answer(context.brand.worker(_found("worker.js")), "text/javascript", CONTENT_SECURITY_POLICY)


@router.get("/{name}")
async def root_file(name: str, context: InContext) -> Response:
    """An icon, and the like."""
    branded = context.brand.picture(name)
    return _file(name, CONTENT_SECURITY_POLICY) if branded is None else _answer(*branded, LOGO_POLICY)


def _page(name: str, policy: str, brand: Brand) -> Response:
    return _answer(brand.page(_found(name)), "text/html", policy)


def _file(name: str, policy: str, cache: str = "no-cache") -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _answer(_found(name), kind, policy, cache)


def _found(name: str) -> bytes:
    # `name` is one path segment, or "assets/" and one: the router lets no slash through.
    found = _STATIC.joinpath(name)
    if len(name.encode()) > _MAX_NAME or ".." in name or "\\" in name or not found.is_file():
        raise NotFound
    return found.read_bytes()


def _answer(body: bytes, kind: str, policy: str, cache: str = "no-cache") -> Response:
    headers = {"content-security-policy": policy, "cache-control": cache}
    return Response(body, headers=headers, media_type=kind)
