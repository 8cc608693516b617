"""Builds what HTTP handlers receive: the services, with the settings that concern HTTP alone."""

from collections.abc import Awaitable, Callable
from dataclasses import fields

from famichat.actions.services import Services
from famichat.endpoint.api.operations import deployment_of
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.proxies import Proxies
from famichat.endpoint.pages.brand import Brand
from famichat.settings import Settings
from famichat.telemetry.metrics import Metrics


def build_context(
    settings: Settings,
    services: Services,
    metrics: Metrics,
    metrics_of_all: Callable[[], Awaitable[bytes]] | None = None,
    *,
    is_isolated: Callable[[], bool],
) -> Context:
    """Add to the services what HTTP handlers need besides.

    Args:
        settings: what the operator configured.
        services: the services of this process.
        metrics: the metrics of this process.
        metrics_of_all: returns those of all workers of this machine; None if this process is the only one.
        is_isolated: returns whether this node alone receives nothing from the broker.
    """
    return Context(
        **{field.name: getattr(services, field.name) for field in fields(services)},
        proxies=Proxies(settings.trusted_proxies),
        metrics=metrics,
        metrics_of_all=metrics_of_all,
        is_isolated=is_isolated,
        test_endpoints=settings.test_endpoints,
        metrics_token=settings.metrics_token,
        address=settings.public_url,
        deployment=deployment_of(services.data_dir.database_id() or ""),
        origins=settings.origins,
        brand=_brand(settings),
    )


def _brand(settings: Settings) -> Brand:
    if settings.app_logo is None:
        return Brand(settings.app_name, settings.app_color)
    logo = settings.app_logo.read_bytes()
    if b"<svg" in logo:
        return Brand(settings.app_name, settings.app_color, logo)
    from famichat.endpoint.pages.icons import draw_icons  # noqa: PLC0415 - a large library that only bitmap logos need

    return Brand(settings.app_name, settings.app_color, logo, draw_icons(logo))
