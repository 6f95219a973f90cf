"""Anki's own sync server, devices that sync with it, and a way to it that breaks where told.

with running(folder) as server, relayed(server) as relay:
    phone = device(folder / "phone", server)
    relay.break_at(5, "after", lambda: None)
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.sync import SyncAuth

USER, PASSWORD = "anna", "geheim 7"


@dataclass(slots=True)
class SyncServer:
    """Anki's sync server on a port of this machine; it can be stopped and started again."""

    folder: Path
    port: int
    key: str = ""
    """What it gave at the first login; to log in once more takes it a while."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "anki.syncserver"],
            env=os.environ
            | {
                "SYNC_USER1": f"{USER}:{PASSWORD}",
                "SYNC_BASE": str(self.folder),
                "SYNC_HOST": "127.0.0.1",
                "SYNC_PORT": str(self.port),
                "RUST_LOG": "anki=error",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the sync server did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(folder: Path) -> Iterator[SyncServer]:
    """A server that keeps its collections in `folder`."""
    server = SyncServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert isinstance(port, int)
    return port


# ---------------------------------------------------------------- a device


@dataclass(slots=True)
class Device:
    """An Anki of the user's, on a phone or at a desk."""

    col: Collection
    auth: SyncAuth

    def sync(self) -> None:
        """Sync cards and media as the user does, one way only where this side is new."""
        output = self.col.sync_collection(self.auth, sync_media=False)
        if output.required != output.NO_CHANGES:
            assert output.required in (output.FULL_DOWNLOAD, output.FULL_UPLOAD), output.required
            self.transfer(upload=output.required == output.FULL_UPLOAD)
        self.col.sync_media(self.auth)
        while self.col.media_sync_status().active:
            time.sleep(0.01)

    def transfer(self, *, upload: bool) -> None:
        """Sync one way."""
        self.col.close_for_full_sync()
        self.col.full_upload_or_download(auth=self.auth, server_usn=None, upload=upload)
        self.col.reopen(after_full_sync=True)


@contextmanager
def device(folder: Path, server: SyncServer) -> Iterator[Device]:
    """A device that keeps its collection in `folder`."""
    folder.mkdir(exist_ok=True)
    col = Collection(str(folder / "collection.anki2"))
    try:
        server.key = server.key or col.sync_login(USER, PASSWORD, server.url).hkey
        yield Device(col, SyncAuth(hkey=server.key, endpoint=server.url))
    finally:
        col.close()


# ---------------------------------------------------------------- a way that breaks


@dataclass(slots=True)
class Relay:
    """Stands between a client and the server, and counts requests."""

    port: int
    target: int
    paths: list[str] = field(default_factory=list)
    """Of the requests so far."""
    _at: int | None = None
    _when: str = ""
    _deed: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def break_at(self, number: int | None, when: str, deed: Callable[[], None]) -> None:
        """Do `deed` and hang up at a request, `before` or `after` the server has had it."""
        self.paths.clear()
        self._at, self._when, self._deed = number, when, deed

    def breaks(self, when: str) -> bool:
        """Whether to hang up on the last request now; done, if so."""
        if len(self.paths) != self._at or when != self._when:
            return False
        self._at = None
        self._deed()
        return True


@contextmanager
def relayed(server: SyncServer) -> Iterator[Relay]:
    """A relay to a server."""
    relay = Relay(0, server.port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._body()
            relay.paths.append(self.path)
            if relay.breaks("before"):
                self._hang_up()
                return
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("transfer-encoding", "content-length", "connection")
            }
            connection = http.client.HTTPConnection("127.0.0.1", relay.target)
            try:
                connection.request("POST", self.path, body, kept)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                self._hang_up()
                return
            finally:
                connection.close()
            if relay.breaks("after"):
                self._hang_up()
                return
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    httpd = _Quiet(("127.0.0.1", 0), Handler)
    relay.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield relay
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no error."""
