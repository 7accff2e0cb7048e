"""What watches over Vigie asks: `/healthz`, `/readyz`, `/metrics`."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from vigie.api.bodies import reply
from vigie.api.problems import responses

if TYPE_CHECKING:
    from vigie.app import Services

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether every part this process needs is there."""

    ready: bool
    parts: dict[str, str | None] = Field(
        description="What is wrong with each part; null when it is fine.", examples=[{"database": None}]
    )


def health(services: "Services") -> APIRouter:
    """Return the routes about the state of this process."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=Health, response_description="The process answers")
    def healthz() -> Response:
        """Say that the process answers."""
        return reply({"status": "ok"})

    @router.get(
        "/readyz",
        response_model=Readiness,
        response_description="Everything is there",
        responses={503: {"model": Readiness, "description": "A part is not there; `parts` says which and why"}},
    )
    def readyz() -> Response:
        """Say whether database, registry and settings are fine."""
        parts = services.ready()
        ready = not any(parts.values())
        return reply({"ready": ready, "parts": parts}, status=200 if ready else 503)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(503)},
    )
    def metrics() -> Response:
        """Return all metrics in Prometheus's text format."""
        return Response(services.metrics(), media_type=METRICS_TYPE)

    return router
