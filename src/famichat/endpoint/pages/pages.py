"""The web pages and their assets: the web client at `/`, and the live event viewer at `/events`.

They are built from `web/` into `famichat/static` and shipped in this package. Pages load nothing from other servers.
"""

import mimetypes
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from famichat.chat.errors import NotFound
from famichat.endpoint.http.compression import compressible, preferred
from famichat.endpoint.http.context import InContext
from famichat.endpoint.pages.brand import STYLE_PATH, Brand

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html famichat-worker famichat-search famichat-engine"
)

# An SVG logo may contain scripts. They must not run if the file is opened directly.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_STATIC = Path(str(files("famichat"))) / "static"
_PERMANENT = "public, max-age=31536000, immutable"
_CODINGS = {"br": ".br", "gzip": ".gz"}
"""The suffixes of the files that `web/build/compress.ts` writes, the smallest first."""
_MAX_NAME = 255  # bytes; a longer name makes the file system raise an error

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/invite")
@router.get("/reset")
@router.get("/confirm-email")
@compressible
async def client(context: InContext) -> Response:
    """Return the web client. Links to join or to reset a password open it, too; their token is in the URL fragment."""
    return _page("index.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/events")
@compressible
async def events(context: InContext) -> Response:
    """Return the live event viewer, for developers (story 7.4.1)."""
    return _page("events.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get("/api/docs")
@compressible
async def docs(context: InContext) -> Response:
    """Return the reference of the HTTP API and the WebSocket events."""
    return _page("docs.html", CONTENT_SECURITY_POLICY, context.brand)


@router.get(STYLE_PATH)
@compressible
async def style(context: InContext) -> Response:
    """Return the style sheet with the operator's color; empty if none is set."""
    return _response(context.brand.style.encode(), "text/css", CONTENT_SECURITY_POLICY)


@router.get("/manifest.webmanifest")
@compressible
async def manifest(context: InContext) -> Response:
    """Return the web app manifest."""
    content = context.brand.manifest(_read("manifest.webmanifest"))
    return _response(content, "application/manifest+json", CONTENT_SECURITY_POLICY)


@router.get("/assets/{name}")
async def asset(name: str, request: Request) -> Response:
    """Return a script, style sheet or font. Its name contains a hash of its content, so it is cached permanently."""
    return _asset(f"assets/{name}", request)


@router.get("/favicon.svg")
@router.get("/favicon.ico")
@compressible
async def favicon(context: InContext) -> Response:
    """Return the logo. Browsers request `/favicon.ico` if a page declares no icon."""
    logo, kind = context.brand.logo_file("favicon.svg") or (_read("favicon.svg"), "image/svg+xml")
    return _response(logo, kind, LOGO_POLICY)


@router.get("/worker.js")
@compressible
async def worker(context: InContext) -> Response:
    """Return the service worker, which opens the app offline and shows notifications."""
    return _response(context.brand.worker(_read("worker.js")), "text/javascript", CONTENT_SECURITY_POLICY)


@router.get("/{name}")
@compressible
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


def _asset(name: str, request: Request) -> Response:
    """Return the compressed file that the client prefers. A range refers to the original, which clients resume."""
    path = _path(name)
    files = {coding: path.with_name(path.name + suffix) for coding, suffix in _CODINGS.items()}
    available = [coding for coding, file in files.items() if file.is_file()]
    if not available:
        return _file(name, CONTENT_SECURITY_POLICY, _PERMANENT)
    asked = "" if "range" in request.headers else request.headers.get("accept-encoding", "")
    coding = preferred(asked, available)
    # RFC 9110, section 8.8.3.3: each coding is a representation of its own, with its own entity tag.
    headers = {"vary": "Accept-Encoding", "etag": f'"{path.name}-{coding or "identity"}"'}
    if coding is not None:
        headers["content-encoding"] = coding
    headers |= _headers(CONTENT_SECURITY_POLICY, _PERMANENT)
    return FileResponse(files.get(coding or "", path), headers=headers, media_type=mimetypes.guess_type(name)[0])


def _read(name: str) -> bytes:
    return _path(name).read_bytes()


def _path(name: str) -> Path:
    # `name` is one path segment, or "assets/" and one segment: the router does not match slashes.
    file = _STATIC / name
    is_safe = len(name.encode()) <= _MAX_NAME and ".." not in name and "\\" not in name
    if not is_safe or file.suffix in _CODINGS.values() or not file.is_file():
        raise NotFound
    return file


def _response(body: bytes, kind: str, policy: str, cache: str = "no-cache") -> Response:
    return Response(body, headers=_headers(policy, cache), media_type=kind)


def _headers(policy: str, cache: str) -> dict[str, str]:
    return {"content-security-policy": policy, "cache-control": cache}
