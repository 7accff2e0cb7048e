"""The pages: label, overview, review, try."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vigie.app import Services

__all__ = ["install"]


def install(app: "FastAPI", services: "Services", *, secret: str) -> None:
    """Add the pages to an application.

    Parameters
    ----------
    app
        All its own routes must be there already: the pages take every other path.
    services
        Of the project.
    secret
        Signs the session cookie; keep one per project.
    """
    from vigie.web.pages import add  # noqa: PLC0415 — NiceGUI takes a second to import

    add(app, services, secret)
