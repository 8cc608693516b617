"""The web pages and their assets: the web client at `/`, and the live event viewer at `/events`.

They are built from `web/` into `famichat/static` and shipped in this package. Pages load nothing from other servers.
"""

import mimetypes
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import InContext
from famichat.endpoint.pages.brand import STYLE_PATH, Brand

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html famichat-worker"
)
# Swagger UI sets inline styles and assigns strings to innerHTML.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# An SVG logo may contain scripts. They must not run if the file is opened directly.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_STATIC = Path(str(files("famichat"))) / "static"
_PERMANENT = "public, max-age=31536000, immutable"
_MAX_NAME = 255  # bytes; a longer name makes the file system raise an error

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/invite")
async def client(context: InContext) -> Response:
    """Return the web client. Invitation links open it, too; their token is in the URL fragment, which stays local."""
    return _page("index.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/events")
async def events(context: InContext) -> Response:
    """Return the live event viewer, for developers (story 7.4.1)."""
    return _page("events.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/api/docs")
async def docs(context: InContext) -> Response:
    """Return the interactive documentation of the HTTP API."""
    return _page("docs.html", DOCS_POLICY, context.brand)


@router.get(STYLE_PATH)
async def style(context: InContext) -> Response:
    """Return the style sheet with the operator's color; empty if none is set."""
    return _response(context.brand.style.encode(), "text/css", CONTENT_SECURITY_POLICY)


@router.get("/manifest.webmanifest")
async def manifest(context: InContext) -> Response:
    """Return the web app manifest."""
    content = context.brand.manifest(_read("manifest.webmanifest"))
    return _response(content, "application/manifest+json", CONTENT_SECURITY_POLICY)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Return a script, style sheet or font. Its name contains a hash of its content, so it is cached permanently."""
    return _file(f"assets/{name}", CONTENT_SECURITY_POLICY, _PERMANENT)


@router.get("/favicon.svg")
@router.get("/favicon.ico")
async def favicon(context: InContext) -> Response:
    """Return the logo. Browsers request `/favicon.ico` if a page declares no icon."""
    logo, kind = context.brand.logo_file("favicon.svg") or (_read("favicon.svg"), "image/svg+xml")
    return _response(logo, kind, LOGO_POLICY)


@router.get("/worker.js")
async def worker(context: InContext) -> Response:
    """Return the service worker, which opens the app offline and shows notifications."""
    return _response(context.brand.worker(_read("worker.js")), "text/javascript", CONTENT_SECURITY_POLICY)


@router.get("/{name}")
async def root_file(name: str, context: InContext) -> Response:
    """Return a file of the root directory, such as an icon."""
    branded = context.brand.logo_file(name)
    return _file(name, CONTENT_SECURITY_POLICY) if branded is None else _response(*branded, LOGO_POLICY)


def _page(name: str, policy: str, brand: Brand) -> Response:
    return _response(brand.page(_read(name)), "text/html", policy)


def _file(name: str, policy: str, cache: str = "no-cache") -> Response:
    """Return a file piece by piece, because a slow client would otherwise keep all of it in memory."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(_path(name), headers=_headers(policy, cache), media_type=kind)


def _read(name: str) -> bytes:
    return _path(name).read_bytes()


def _path(name: str) -> Path:
    # `name` is one path segment, or "assets/" and one segment: the router does not match slashes.
    file = _STATIC / name
    if len(name.encode()) > _MAX_NAME or ".." in name or "\\" in name or not file.is_file():
        raise NotFound
    return file


def _response(body: bytes, kind: str, policy: str, cache: str = "no-cache") -> Response:
    return Response(body, headers=_headers(policy, cache), media_type=kind)


def _headers(policy: str, cache: str) -> dict[str, str]:
    return {"content-security-policy": policy, "cache-control": cache}
