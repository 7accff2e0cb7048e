"""What sources, sinks and the web API share when they talk Loki: how to reach it, its failures, its messages."""

import base64
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from vigie import __version__
from vigie.errors import SettingsError, UnavailableError
from vigie.parameters import Bundle

PUSH_PATH = "/loki/api/v1/push"
QUERY_PATH = "/loki/api/v1/query_range"
TAIL_PATH = "/loki/api/v1/tail"

LABELLED_BY: Mapping[str, str] = {"labelled_by": "vigie"}
"""The stream label under which Vigie writes; the source leaves such streams out, or it would read its own output."""

DETAILS = "loki"
"""The field of a message that says where in Loki it belongs."""

NANOSECONDS = 10**9
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
SHOWN_CHARACTERS = 300
_TRANSIENT = frozenset({408, 425, 429})
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Access(Bundle):
    """How to reach a Loki server, and as whom.

    Parameters
    ----------
    owner
        The table of `vigie.toml` this belongs to, for errors: ``sources.loki``.
    url
        The server, without the path of its API: ``https://logs-prod-012.grafana.net``.
    tenant
        Sent as ``X-Scope-OrgID``; a source may name several with ``|`` between.
    user, password
        For Basic authentication; at Grafana Cloud the number of the instance and a token.
    token
        For Bearer authentication.
    ca_file
        Certificates (PEM) to trust instead of the system's.

    Raises
    ------
    SettingsError
        Something in it cannot be used, or excludes something else.
    """

    owner: str
    url: str
    tenant: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError(f"{self.owner}.url is {self.url!r:.100}; expected something like http://loki:3100")
        if parts.username or parts.password:
            raise SettingsError(f"{self.owner}.url holds a user or a password; write them under user and password")
        if self.token is not None and self.user is not None:
            raise SettingsError(f"{self.owner} has both token and user; expected one way to authenticate")
        if (self.user is None) != (self.password is None):
            raise SettingsError(f"{self.owner} needs user and password together, or neither")

    @property
    def headers(self) -> dict[str, str]:
        """What says who we are, in each request."""
        found = {"User-Agent": f"vigie/{__version__}"}
        if self.tenant is not None:
            found["X-Scope-OrgID"] = self.tenant
        if self.token is not None:
            found["Authorization"] = f"Bearer {self.token}"
        if self.user is not None and self.password is not None:
            credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            found["Authorization"] = f"Basic {credentials}"
        return found

    def trust(self) -> ssl.SSLContext | None:
        """Return what checks the server's certificate; None where there is none.

        Raises
        ------
        SettingsError
            `ca_file` cannot be read, or holds no certificate.
        """
        if urlsplit(self.url).scheme == "http":
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise SettingsError(
                f"{self.owner}.ca_file is {self.ca_file!r}, which cannot be used: {error.strerror or error}; "
                "expected certificates in PEM"
            ) from error

    def client(self) -> httpx.Client:
        """Return a client of the server; nothing is sent yet."""
        timeout = httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        return httpx.Client(
            base_url=self.url.rstrip("/"), headers=self.headers, verify=self.trust() or True, timeout=timeout
        )

    def send(self, client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, and return an answer that is a success, or a 400 or 413: the caller knows what those mean.

        Raises
        ------
        UnavailableError
            No answer, or one that says to come back later.
        SettingsError
            An answer that stays the same until somebody changes something.
        """
        try:
            response = client.request(method, path, **options)
        except (httpx.TransportError, httpx.DecodingError) as error:
            said = shortened(str(error)) or type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in said:
                raise SettingsError(
                    f"{self.owner}: the certificate of {self.url} is not trusted ({said}); "
                    "name the authority's certificate under ca_file"
                ) from error
            raise UnavailableError(
                f"{self.owner}: {self.url} does not answer ({said}); it goes on by itself when that is mended"
            ) from error
        if response.is_success or response.status_code in {400, 413}:
            return response
        raise self.refusal(response.status_code, response.text, response.headers)

    def refusal(self, status: int, text: str, headers: Mapping[str, str]) -> UnavailableError | SettingsError:
        """Return what an answer that is no success means: wait, or stop."""
        said = f"{self.owner}: {self.url} answers {status}: {shortened(text)}"
        if status in _TRANSIENT or status >= _SERVER_ERROR:
            return UnavailableError(said, retry_after_seconds=retry_after(headers.get("Retry-After")))
        advice = "check user, password, token and tenant" if status in {401, 403} else "check the url and the settings"
        return SettingsError(f"{said}; {advice} of {self.owner}")


def shortened(text: str) -> str:
    """Return the first line of what a server says, not too much of it."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= SHOWN_CHARACTERS else f"{first[:SHOWN_CHARACTERS]}…"


def retry_after(value: str | None, *, now: datetime | None = None) -> float:
    """Return the seconds that a Retry-After header asks for, in [0.1, 300]; 1 when it says nothing.

    Parameters
    ----------
    value
        Seconds, or a date.
    now
        The present, aware; the clock's when left out.

    Examples
    --------
    >>> retry_after("7"), retry_after(None), retry_after("soon")
    (7.0, 1.0, 1.0)
    """
    if value is None:
        return 1.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError):
            return 1.0
    return 1.0 if math.isnan(seconds) else min(300.0, max(0.1, seconds))


def as_payload(
    line: str,
    nanosecond: int,
    labels: Mapping[str, str],
    metadata: Mapping[str, str] | None = None,
    parsed: Mapping[str, str] | None = None,
) -> bytes:
    """Return a Loki entry as a message: JSON with the line under ``message`` and the rest under ``loki``.

    Nanoseconds are a string, since most readers of JSON cannot hold them in a number. What is empty is left out.
    Cost: 1 µs.

    Examples
    --------
    >>> as_payload("disk full", 17, {"app": "db"}).decode()
    '{"message":"disk full","loki":{"timestamp":"17","labels":{"app":"db"}}}'
    """
    details: dict[str, Any] = {"timestamp": str(nanosecond), "labels": labels}
    if metadata:
        details["metadata"] = metadata
    if parsed:
        details["parsed"] = parsed
    return orjson.dumps({"message": line, DETAILS: details})
