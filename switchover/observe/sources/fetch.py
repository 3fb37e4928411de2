"""Read JSON over HTTP within bounds of time and size, without following redirects."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from switchover.connection import printable
from switchover.errors import InputError
from switchover.observe.sources.span import unreadable

#: The largest answer that is read, in bytes.
LARGEST = 16_000_000


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks for ``source``. ``token`` is ``env:NAME`` of a variable in ``environment``; neither it
    nor what an address holds besides its place is ever part of a message."""

    source: str
    timeout: float
    environment: Mapping[str, str]
    token: str | None = None
    transport: httpx.BaseTransport | None = None

    def json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The document at ``url``; raises ``DependencyUnavailable``, or ``InputError`` when the
        token's variable is not set."""
        secret = self._secret()
        # Unpacked, a small answer may fill the memory.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        try:
            with (
                httpx.Client(timeout=self.timeout, transport=self.transport) as client,
                client.stream("GET", url, params=params, headers=headers) as answer,
            ):
                content = self._content(answer, url)
        except httpx.TimeoutException as error:
            raise self._late(url) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            words = str(error) or type(error).__name__
            raise unreadable(self.source, f"{words} at {printable(url)}; is it running?") from error
        document = _parsed(content)
        if answer.is_success:
            if document is None:
                raise unreadable(self.source, f"the answer of {printable(url)} is not JSON")
            return document
        raise unreadable(self.source, self._refusal(answer, url, document, secret))

    def _content(self, answer: httpx.Response, url: str) -> bytes:
        """The body. httpx bounds the wait for each piece; many small ones could take for ever."""
        deadline = time.monotonic() + self.timeout
        pieces, size = [], 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > LARGEST:
                raise unreadable(
                    self.source,
                    f"the answer of {printable(url)} is larger than {LARGEST // 1_000_000} MB; "
                    "ask for less",
                )
            if time.monotonic() > deadline:
                raise self._late(url)
            pieces.append(piece)
        return b"".join(pieces)

    def _late(self, url: str) -> Exception:
        late = f"no whole answer from {printable(url)} within {self.timeout:g} s"
        return unreadable(self.source, late)

    def _secret(self) -> str:
        if self.token is None:
            return ""
        name = self.token.removeprefix("env:")
        secret = self.environment.get(name, "").strip()
        if not secret:
            raise InputError(f"the environment variable {name} is not set; set it to a token")
        if not (secret.isascii() and secret.isprintable()):
            raise InputError(f"the environment variable {name} holds no token; set it to one")
        return secret

    def _refusal(self, answer: httpx.Response, url: str, document: Any, secret: str) -> str:
        code, place = answer.status_code, printable(url)
        if code in (401, 403):
            advice = f"check {self.token}" if self.token else "add token: env:NAME"
            return f"{place} does not let us in (HTTP {code}); {advice}"
        if answer.is_redirect:
            return f"{place} points elsewhere (HTTP {code}); write the final address"
        said = document.get("error") if isinstance(document, dict) else None
        words = f": {said[:200]}" if isinstance(said, str) else ""
        if secret:
            words = words.replace(secret, "…")
        return f"HTTP {code} from {place}{words}"


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
