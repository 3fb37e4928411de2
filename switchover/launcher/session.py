"""One HTTP session with Prefect's API: credentials, patience, and errors in our own words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any

from switchover.errors import DependencyUnavailable, InputError

if TYPE_CHECKING:
    import httpx

_TRIES = 5
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 3.0


class UnknownToPrefect(InputError):
    """Prefect has no such thing."""


class PrefectSession:
    """Calls below ``api_url`` (``http://…/api``), made when first used.

    503 is tried again with jitter: Prefect answers it for a busy database, having done
    nothing. So is a connection that can't be opened.
    """

    def __init__(
        self,
        api_url: str,
        auth: str | None,
        timeout: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not api_url.startswith(("http://", "https://")):
            raise InputError(
                f"{api_url!r} is no address of a Prefect API; set PREFECT_API_URL, "
                "for example http://127.0.0.1:4200/api"
            )
        self._url, self._auth, self._timeout = api_url.rstrip("/"), auth, timeout
        self._transport = transport
        self._client: httpx.Client | None = None

    def get(self, path: str, *, what: str) -> Any:
        """The JSON at ``path``; ``what`` names it in errors."""
        return self._call("GET", path, None, what)

    def post(
        self, path: str, document: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, what: str
    ) -> Any:
        """The JSON answer to ``document``, None where there is no content; ``what`` names the
        thing in errors."""
        return self._call("POST", path, document, what)

    def put(self, path: str, document: Mapping[str, Any], *, what: str) -> Any:
        """As `post`, for what replaces a whole document."""
        return self._call("PUT", path, document, what)

    def patch(self, path: str, document: Mapping[str, Any], *, what: str) -> Any:
        """As `post`, for what changes a part of a document."""
        return self._call("PATCH", path, document, what)

    def delete(self, path: str, *, what: str) -> Any:
        """Delete what is at ``path``."""
        return self._call("DELETE", path, None, what)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self) -> httpx.Client:
        if self._client is None:
            import httpx  # slow to import, and the way to a rollback needs no Prefect

            auth = None
            if self._auth:
                user, _, password = self._auth.partition(":")
                auth = httpx.BasicAuth(user, password)
            self._client = httpx.Client(auth=auth, timeout=self._timeout, transport=self._transport)
        return self._client

    def _call(self, method: str, path: str, document: Any, what: str) -> Any:
        import httpx

        client = self._open()
        for attempt in range(1, _TRIES + 1):
            wait = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))
            try:
                answer = client.request(method, self._url + path, json=document)
            except httpx.InvalidURL as error:
                raise InputError(f"PREFECT_API_URL is no address: {error}") from error
            except httpx.ConnectError as error:
                if attempt == _TRIES:
                    raise self._away(str(error)) from error
            except httpx.TransportError as error:  # it may have been done: the caller decides
                raise self._away(str(error) or type(error).__name__) from error
            else:
                if answer.status_code != 503:
                    return self._read(answer, what)
                if attempt == _TRIES:
                    raise self._away(f"it answered 503 to {_TRIES} calls")
                asked = answer.headers.get("Retry-After", "")
                if asked.isdigit():
                    wait += min(_LONGEST_WAIT, float(asked))
            sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _read(self, answer: httpx.Response, what: str) -> Any:
        status = answer.status_code
        if status in (401, 403):
            raise InputError(
                f"Prefect at {self._place} refused the credential; set PREFECT_API_AUTH_STRING "
                "to the server's user:password"
            )
        if status == 404:
            raise UnknownToPrefect(
                f"Prefect at {self._place} does not know {what}; check the name, and deploy "
                "with `prefect deploy --all` if it is missing"
            )
        if 400 <= status < 500:
            raise InputError(f"Prefect did not take {what}: {_detail(answer)}")
        if status >= 500:
            raise self._away(f"it answered {status}: {_detail(answer)}")
        if status == 204:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise InputError(
                f"{self._place} does not answer like a Prefect API; PREFECT_API_URL ends in /api"
            ) from error

    def _away(self, detail: str) -> DependencyUnavailable:
        return DependencyUnavailable(
            "Prefect", f"{detail} at {self._place}; check that it runs and PREFECT_API_URL is right"
        )

    @property
    def _place(self) -> str:
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


def _detail(answer: httpx.Response) -> str:
    """What a refusal says, in one line."""
    try:
        document = answer.json()
    except ValueError:
        return " ".join(answer.text.split())[:300] or f"HTTP {answer.status_code}"
    if isinstance(document, dict):
        faults = document.get("exception_detail")  # the fields that validation refused
        if isinstance(faults, list) and faults:
            return "; ".join(
                f"{'.'.join(map(str, fault.get('loc', ())))}: {fault.get('msg', '')}"
                for fault in faults
                if isinstance(fault, dict)
            )[:300]
        for name in ("detail", "exception_message"):
            if document.get(name):
                return str(document[name])[:300]
    return str(document)[:300]
