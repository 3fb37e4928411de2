"""The HTTP server below the stand-ins."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from switchover.testing.stand_in import StandInServer

#: Closing then resets the connection.
_RESET = struct.pack("ii", 1, 0)


@pytest.mark.parametrize(("fault", "told"), [(None, False), (ValueError("broken"), True)])
def test_a_client_that_goes_away_is_not_told_and_a_fault_is(
    fault: Exception | None, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken connection leaves stderr as it was; any other error is printed."""
    asked, gone, over = threading.Event(), threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            gone.wait(10.0)
            if fault is not None:
                raise fault
            while True:
                self.wfile.write(b"x" * 65536)

    class Server(StandInServer):
        def shutdown_request(self, request: object) -> None:
            super().shutdown_request(request)  # type: ignore[arg-type]
            over.set()

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        client = socket.create_connection(server.server_address[:2])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert asked.wait(10.0)
        client.close()
        gone.set()
        assert over.wait(10.0)
        server.shutdown()
        thread.join()
    assert ("Traceback" in capsys.readouterr().err) is told
