"""The HTTP server below the stand-ins: silent when a client goes away before its answer."""

from __future__ import annotations

import ssl
import sys
from http.server import ThreadingHTTPServer
from typing import Any


class StandInServer(ThreadingHTTPServer):
    """Clients under test give up, and Python would tell that by a traceback on stderr, some of
    them in the middle of another test. All other errors are told."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, unless the client is gone."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)
