"""Images, sounds and films of the web, fetched once and kept.

    https://example.org/cell.png   ->   ~/.cache/obs2anki/media/9f86d081884c7d65....png

Only for those who write `[media] download = true`. A vault may come from anyone, so that nothing
of the own network is asked: each address that a name stands for has to be public, and the
connection goes to the one that was looked at. What is kept is never fetched again, so that every
export packs the same bytes.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from obs2anki.diagnostics import Obs2ankiError
from obs2anki.media import MEGABYTE

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse
    from urllib3.util import Url

TYPES = {
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tiff",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/flac": "flac",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-aiff": "aiff",
    "audio/x-flac": "flac",
    "audio/x-m4a": "m4a",
    "audio/x-wav": "wav",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}
"""What a server may say that it sends, and the extension under which it is kept."""

REDIRECTS = 5
SECONDS_OF_SILENCE = 15
SECONDS = 120
"""In all for one file."""
AT_ONCE = 4
"""Servers that are asked at one time; each is asked for one file after another."""

_HEADERS = {
    "User-Agent": "obs2anki",
    "Accept": "image/*, audio/*, video/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_PIECE = 1 << 16


class _Refused(Exception):
    """Why a file cannot be had."""


class _Unreachable(_Refused):
    """Why none of its server's files can be had."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Where fetched files are kept, and what is fetched."""

    folder: Path
    max_size: int
    """Megabytes."""
    may_reach: Callable[[str], bool]
    """Whether an IP address may be asked."""


def fetch(
    urls: Iterable[str],
    max_size: int,
    folder: Path | None = None,
    may_reach: Callable[[str], bool] | None = None,
) -> dict[str, Path | str]:
    """By address, where the file lies now, or in words why it could not be fetched.

    `max_size` is in megabytes. Raises Obs2ankiError where the cache folder cannot be written, or
    where what fetches is not installed.
    """
    terms = Terms(folder or cache_folder(), max_size, may_reach or is_public)
    found: dict[str, Path | str] = {}
    by_server: defaultdict[str, list[str]] = defaultdict(list)
    for url in urls:
        kept = _kept(url, terms)
        if kept is None:
            by_server[_server(url)].append(url)
        else:
            found[url] = kept
    if by_server:
        _assert_installed()
        with _writing(terms.folder), ThreadPoolExecutor(AT_ONCE) as pool:
            terms.folder.mkdir(parents=True, exist_ok=True)
            _clear(terms.folder)
            for fetched in pool.map(lambda group: _from(group, terms), by_server.values()):
                found |= fetched
    return found


def cache_folder() -> Path:
    """Where the platform keeps what can be fetched again."""
    from platformdirs import user_cache_path

    return user_cache_path("obs2anki", appauthor=False) / "media"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, whatever it is wrapped into."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _assert_installed() -> None:
    try:
        import platformdirs  # noqa: F401
        import urllib3  # noqa: F401
    except ImportError:
        raise Obs2ankiError(
            "To download media, obs2anki needs more than is installed. "
            "Say: pip install 'obs2anki[download]', or take [media] download out of obs2anki.toml."
        ) from None


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Obs2ankiError(
            f"Downloaded media cannot be kept in {folder} ({error.strerror or error}). "
            "Give yourself the right to write there, or take [media] download out of obs2anki.toml."
        ) from error


# ---------------------------------------------------------------- what is kept


def _key(url: str) -> str:
    return sha256(url.encode("utf-8", "replace")).hexdigest()


def _kept(url: str, terms: Terms) -> Path | str | None:
    for extension in sorted(set(TYPES.values())):
        file = terms.folder / f"{_key(url)}.{extension}"
        try:
            size = file.stat().st_size
        except OSError:
            continue
        return file if size <= terms.max_size * MEGABYTE else _too_large(terms)
    return None


_ASIDE = ".tmp"
"""Ends the name of a file that is still being fetched."""


def _clear(folder: Path) -> None:
    """Remove what runs that were killed have left; none that a live run may still write."""
    for aside in folder.glob(f"*{_ASIDE}"):
        with suppress(OSError):
            if time.time() - aside.stat().st_mtime > SECONDS:
                aside.unlink()


def _too_large(terms: Terms) -> str:
    return f"it has more than {terms.max_size} MB"


# ---------------------------------------------------------------- asking servers


def _server(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _from(urls: Sequence[str], terms: Terms) -> dict[str, Path | str]:
    """The files of one server; one that cannot be reached is asked once."""
    found: dict[str, Path | str] = {}
    gone = ""
    for url in urls:
        try:
            found[url] = gone or _fetched(url, terms)
        except _Unreachable as refused:
            found[url] = gone = str(refused)
        except _Refused as refused:
            found[url] = str(refused)
    return found


def _fetched(url: str, terms: Terms) -> Path:
    """Fetch one file. Raises _Refused; OSError if it cannot be kept."""
    deadline = time.monotonic() + SECONDS
    asked = url
    for _ in range(REDIRECTS + 1):
        with _answer(asked, deadline, terms) as response:
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return _saved(response, deadline, terms, _key(url))
            asked = urljoin(asked, location)
    raise _Refused("it is redirected too often")


@contextmanager
def _answer(url: str, deadline: float, terms: Terms) -> Iterator[BaseHTTPResponse]:
    """What the server says to a GET. Whatever it does, this ends at the deadline."""
    from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError

    address = _parsed(url)
    connection = _connected(address, deadline, terms)
    headers = _HEADERS | {"Host": address.netloc or ""}
    try:
        with _until(deadline, connection):
            connection.request("GET", address.request_uri, headers=headers, preload_content=False)
            yield connection.getresponse()
    except SSLError:
        raise _Refused("its certificate cannot be trusted") from None
    except (ReadTimeoutError, TimeoutError):
        raise _Refused("the server takes too long") from None
    except (HTTPError, HTTPException, ConnectionError, ValueError):
        late = time.monotonic() >= deadline
        raise _Refused("the server takes too long" if late else "the connection broke") from None
    finally:
        connection.close()


@contextmanager
def _until(deadline: float, connection: HTTPConnection) -> Iterator[None]:
    """Cut a connection at the deadline: a byte now and then would be in time for ever."""
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [connection])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _parsed(url: str) -> Url:
    """An address without the name and password in it, which are nobody's business."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parsed = parse_url(url)
    except (LocationParseError, ValueError):
        raise _Refused("that is no address") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _Refused(f"it leads to a {parsed.scheme or 'strange'} address")
    return parsed._replace(auth=None, fragment=None)


def _connected(address: Url, deadline: float, terms: Terms) -> HTTPConnection:
    """A connection to one of the public addresses of a server."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

    host = (address.host or "").strip("[]")
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    for ip in _addresses(host, port, terms):
        left = deadline - time.monotonic()
        timeout = max(0.1, min(SECONDS_OF_SILENCE, left))
        connection = (
            HTTPSConnection(
                ip,
                port,
                timeout=timeout,
                cert_reqs="CERT_REQUIRED",
                server_hostname=host,
                assert_hostname=host,
            )
            if secure
            else HTTPConnection(ip, port, timeout=timeout)
        )
        try:
            with _until(deadline, connection):
                connection.connect()
        except (NewConnectionError, ConnectTimeoutError):
            connection.close()
            continue
        except SSLError:
            connection.close()
            raise _Refused("its certificate cannot be trusted") from None
        except (HTTPError, OSError):
            connection.close()
            raise _Refused("the connection broke") from None
        return connection
    raise _Unreachable(f"there is no connection to {host}")


def _addresses(host: str, port: int, terms: Terms) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _Unreachable(f"there is no connection to {host}") from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not all(map(terms.may_reach, addresses)):
        raise _Unreachable(f"{host} lies in a private network")
    return addresses


# ---------------------------------------------------------------- keeping what they send


def _saved(response: BaseHTTPResponse, deadline: float, terms: Terms, key: str) -> Path:
    """Keep the body of an answer, if it is what it should be."""
    if response.status != 200:
        raise _Refused(f"the server answers {response.status}")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise _Refused(f"it is {_printable(kind)}, and no image, sound or film")
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise _Refused("the server sends it packed")
    aside = terms.folder / f"{key}-{secrets.token_hex(4)}{_ASIDE}"
    try:
        with aside.open("xb") as file:
            for piece in _pieces(response, terms):
                file.write(piece)
        if time.monotonic() >= deadline:  # cut off, which looks like an end
            raise _Refused("the server takes too long")
        return aside.replace(terms.folder / f"{key}.{TYPES[kind]}")
    finally:
        aside.unlink(missing_ok=True)


def _pieces(response: BaseHTTPResponse, terms: Terms) -> Iterator[bytes]:
    size = 0
    for piece in response.stream(_PIECE, decode_content=False):
        size += len(piece)
        if size > terms.max_size * MEGABYTE:
            raise _Refused(_too_large(terms))
        yield piece
    if not size:
        raise _Refused("it is empty")


def _printable(kind: str) -> str:
    return "".join(c for c in kind[:60] if c.isprintable()) or "of no type"
