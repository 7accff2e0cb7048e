"""A page about the REST interface, made of its OpenAPI description; it loads nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse

from vigie.api.bodies import FORM, MULTIPART

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: REST interface</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .3rem; }}
code, pre {{ font: .875rem/1.45 ui-monospace, monospace; }}
pre {{ padding: .8rem 1rem; border-radius: .4rem; overflow-x: auto; background: color-mix(in srgb, currentColor 8%, transparent); }}
.method {{ display: inline-block; min-width: 3.2rem; font-weight: 700; }}
p {{ margin: .3rem 0; }} td {{ padding: .1rem .9rem .1rem 0; vertical-align: top; }}
</style></head><body><h1>{title} {version}: REST interface</h1>
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI {openapi}). Every failure is <code>{{"detail": reason}}</code>.</p>
{operations}</body></html>"""


def reference(app: FastAPI) -> APIRouter:
    """Return the route of the page.

    Parameters
    ----------
    app
        Whose interface it describes.
    """
    router = APIRouter()

    @router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs(request: Request) -> str:
        """Return the page."""
        schema = app.openapi()
        return _PAGE.format(
            title=escape(schema["info"]["title"]),
            version=escape(schema["info"]["version"]),
            openapi=escape(schema["openapi"]),
            operations="\n".join(_operations(schema, str(request.base_url).rstrip("/"))),
        )

    return router


def _operations(schema: dict[str, Any], address: str) -> Iterator[str]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f'<h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
            yield from (f"<p>{_marked(text)}</p>" for text in operation.get("description", "").split("\n\n"))
            yield from (f"<pre>{escape(example)}</pre>" for example in _examples(f"{address}{path}", operation))
            yield f"<table>{''.join(_answers(operation))}</table>"


def _marked(text: str) -> str:
    """Return a text as HTML, with what stands between back-ticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        yield f"<tr><td><code>{escape(status)}</code></td><td>{_marked(answer['description'])}</td></tr>"


def _examples(url: str, operation: dict[str, Any]) -> Iterator[str]:
    contents = operation.get("requestBody", {}).get("content", {})
    if not contents:
        yield f"curl {url}"
    for kind, content in contents.items():
        if kind == MULTIPART:
            continue  # the same fields as the other form
        for value in _values(content):
            yield f"curl {url} \\\n  -H 'Content-Type: {kind}' \\\n  --data-binary '{_body(kind, value)}'"


def _values(content: dict[str, Any]) -> list[Any]:
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    return [content["example"]] if "example" in content else list(content["schema"].get("examples", ()))


def _body(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return urlencode(value) if kind == FORM else json.dumps(value, ensure_ascii=False)
