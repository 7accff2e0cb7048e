"""The REST interface."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from vigie import __version__
from vigie.api.answers import answers, labels_schema, send_body
from vigie.api.bodies import JSON
from vigie.api.guard import LOOPBACK, MAX_BODY_BYTES, Guard
from vigie.api.health import health
from vigie.api.inbox import inbox
from vigie.api.loki import loki
from vigie.api.predictions import FEEDBACK_LABELS, predictions
from vigie.api.problems import RefusedError, install_problems
from vigie.api.quality import quality
from vigie.api.reference import reference

if TYPE_CHECKING:
    from vigie.app import Services

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

__all__ = ["LOOPBACK", "MAX_BODY_BYTES", "Guard", "application", "install"]


def application(services: "Services") -> FastAPI:
    """Return a web application with the REST interface in it.

    Parameters
    ----------
    services
        What the interface offers.
    """
    # FastAPI's own pages load scripts from a CDN; ours works without a network.
    app = FastAPI(title="Vigie", version=__version__, docs_url=None, redoc_url=None)
    install(app, services)
    return app


def install(app: FastAPI, services: "Services") -> None:
    """Add the REST interface to a web application: routes, failures as JSON, and the guard before everything.

    Parameters
    ----------
    app
        The application; nothing was served yet.
    services
        What the interface offers.
    """
    routers = [routes(services) for routes in (predictions, inbox, loki, answers, quality, health)]
    for router in (*routers, reference(app), other_methods(routers), nothing_else()):
        app.include_router(router)
    install_problems(app)
    app.add_middleware(Guard, allowed_hosts=lambda: services.settings.web.allowed_hosts)
    _describe(app, services)


def other_methods(routers: Sequence[APIRouter]) -> APIRouter:
    """Return routes that refuse (405), at each path that routers have, the methods they do not have there."""
    known: dict[str, set[str]] = {}
    for route in [route for router in routers for route in router.routes]:
        if isinstance(route, APIRoute):
            known.setdefault(route.path, set()).update(route.methods or ())
    router = APIRouter()
    for path, methods in known.items():
        refuse = partial(_refuse_method, allowed=", ".join(sorted(methods)))
        router.add_route(path, refuse, methods=sorted({*METHODS} - methods), include_in_schema=False)
    return router


def _refuse_method(request: Request, *, allowed: str) -> JSONResponse:
    detail = f"there is no {request.method} {request.url.path}; expected {allowed}; /docs lists what there is"
    return JSONResponse({"detail": detail}, status_code=405, headers={"Allow": allowed})


def nothing_else() -> APIRouter:
    """Return the route that answers whatever is asked of the interface and is not in it: the pages take all other paths."""
    router = APIRouter()

    @router.api_route("/api/{path:path}", methods=METHODS, include_in_schema=False)
    def unknown(path: str, request: Request) -> None:
        """Answer what no other route took with a 404 in JSON, where the pages would answer in HTML."""
        raise RefusedError(404, f"there is no {request.method} /api/{path}; /docs lists what there is")

    return router


def _describe(app: FastAPI, services: "Services") -> None:
    """Make `/openapi.json` name the dimensions and labels in force, which change without a restart."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        """Return FastAPI's schema, with the labels of the settings in force in the bodies that carry some."""
        schema = generate()
        dimensions = services.dimensions
        schema["paths"]["/send"]["post"]["requestBody"] = send_body(dimensions)
        labels = {**labels_schema(dimensions), "minProperties": 1}
        feedback = schema["components"]["schemas"]["Feedback"]["properties"]
        feedback["labels"] = {"anyOf": [labels, {"type": "null"}], "description": FEEDBACK_LABELS}
        examples = schema["paths"]["/api/feedback"]["post"]["requestBody"]["content"][JSON]["examples"]
        examples["wrong"]["value"]["labels"] = {dimension.name: dimension.label_names[0] for dimension in dimensions}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
