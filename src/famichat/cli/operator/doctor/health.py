"""`famichat health`: the health check of a container."""

import click
import httpx

from famichat.cli.options import json_option, print_result
from famichat.cli.refusal import Refused
from famichat.settings import load_settings

_SECONDS = 5
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound  # nosec B104


@click.command()
@json_option
def health(*, as_json: bool) -> None:
    """Exit with 0 if the server of these settings is running and ready, otherwise with 1."""
    settings = load_settings()
    host = _WILDCARDS.get(settings.host, f"[{settings.host}]" if ":" in settings.host else settings.host)
    try:
        # With trust_env, a proxy of the environment would receive this request.
        answer = httpx.get(f"http://{host}:{settings.port}/readyz", timeout=_SECONDS, trust_env=False)
    except httpx.HTTPError:
        raise Refused("unreachable", f"No server answers on port {settings.port}") from None
    if not answer.is_success:
        raise Refused("unavailable", "The server is running, but its database does not answer")
    print_result({"ready": True}, "ready", as_json=as_json)
