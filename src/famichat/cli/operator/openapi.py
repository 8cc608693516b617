"""`famichat openapi`: the OpenAPI document of the HTTP API and the WebSocket events."""

import json

import click

from famichat.endpoint.http.app import build_api


@click.command()
def openapi() -> None:
    """Print the OpenAPI document as JSON. Needs neither a server nor a database."""
    click.echo(json.dumps(build_api().openapi(), ensure_ascii=False, indent=1))
