"""Media of the web, from a server on this machine."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from obs2anki import build, cli, downloads
from obs2anki.diagnostics import Obs2ankiError
from tests.anki_collection import bring, collection, complaints
from tests.commands import run, vault

PNG = b"\x89PNG\r\n\x1a\n not that anybody looks"


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `asked` remembers what was asked for."""

    asked: list[str]
    hosts: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.hosts.append(self.headers["Host"])
        assert self.headers["Authorization"] is None and self.headers["Cookie"] is None
        name = self.path.strip("/").partition("?")[0]
        with self.quietly():
            getattr(self, f"say_{name.partition('.')[0]}", self.say_missing)()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """A client that has seen enough may go."""
        try:
            yield
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, body: bytes, kind: str = "image/png", **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def redirected(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.end_headers()

    def say_missing(self) -> None:
        self.send_error(404)

    def say_cell(self) -> None:
        self.answer(PNG, "image/png; charset=binary")

    def say_call(self) -> None:
        self.answer(b"ID3", "audio/mpeg")

    def say_page(self) -> None:
        self.answer(b"<html>", "text/html")

    def say_nothing(self) -> None:
        self.answer(b"")

    def say_huge(self) -> None:
        self.answer(b"x" * 1_500_000)

    def say_packed(self) -> None:
        self.answer(PNG, Content_Encoding="gzip")

    def say_broken(self) -> None:
        self.answer(PNG, Content_Length="1000")

    def say_slow(self) -> None:
        self.answer(b"")
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def say_moved(self) -> None:
        self.redirected("/cell.png")

    def say_round(self) -> None:
        self.redirected("/round")

    def say_file(self) -> None:
        self.redirected("file:///etc/passwd")

    def say_ftp(self) -> None:
        self.redirected("ftp://example.org/x.png")

    def say_inward(self) -> None:
        self.redirected("http://127.0.0.2:1/x.png")

    def log_message(self, *_: object) -> None:
        """Be silent."""


class Site:
    """A server, and what it was asked for."""

    def __init__(self, url: str, asked: list[str], hosts: list[str]) -> None:
        self.url = url
        self.asked = asked
        self.hosts = hosts


@pytest.fixture
def site() -> Iterator[Site]:
    asked: list[str] = []
    hosts: list[str] = []
    handler = type("Own", (Handler,), {"asked": asked, "hosts": hosts})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", asked, hosts)
    server.shutdown()
    server.server_close()
    thread.join()


def this_server(address: str) -> bool:
    return address == "127.0.0.1"


@pytest.fixture
def fetch(site: Site, tmp_path: Path) -> Callable[[str], Path | str]:
    """Fetch one path of the site, at most a megabyte."""

    def fetched(path: str) -> Path | str:
        url = site.url + path
        return downloads.fetch([url], 1, tmp_path / "kept", this_server)[url]

    return fetched


def test_a_file_is_fetched_once_and_kept(
    fetch: Callable[[str], Path | str], site: Site, tmp_path: Path
) -> None:
    first = fetch("/cell.png?size=2")
    assert isinstance(first, Path)
    assert (first.read_bytes(), first.suffix) == (PNG, ".png")
    assert fetch("/cell.png?size=2") == first
    assert site.asked == ["/cell.png?size=2"]
    assert site.hosts == [site.url.removeprefix("http://")]
    assert list((tmp_path / "kept").iterdir()) == [first]


def test_what_a_killed_run_has_left_is_removed_and_what_a_live_one_writes_is_not(
    fetch: Callable[[str], Path | str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, seconds in (("left-1.tmp", downloads.SECONDS + 60), ("live-2.tmp", 1)):
        (kept / name).write_bytes(b"half")
        long_ago = time.time() - seconds
        os.utime(kept / name, (long_ago, long_ago))
    first = fetch("/cell.png")
    assert isinstance(first, Path)
    assert {file.name for file in kept.iterdir()} == {first.name, "live-2.tmp"}


def test_its_type_gives_the_extension(fetch: Callable[[str], Path | str]) -> None:
    sound = fetch("/call")
    assert isinstance(sound, Path) and sound.suffix == ".mp3"


def test_a_redirect_is_followed(fetch: Callable[[str], Path | str]) -> None:
    moved = fetch("/moved")
    assert isinstance(moved, Path) and moved.read_bytes() == PNG


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/missing.png", "the server answers 404"),
        ("/page.png", "it is text/html, and no image, sound or film"),
        ("/nothing.png", "it is empty"),
        ("/huge.png", "it has more than 1 MB"),
        ("/packed.png", "the server sends it packed"),
        ("/broken.png", "the connection broke"),
        ("/round", "it is redirected too often"),
        ("/file", "it leads to a file address"),
        ("/ftp", "it leads to a ftp address"),
        ("/inward", "127.0.0.2 lies in a private network"),
    ],
)
def test_what_cannot_be_had_is_said_and_nothing_is_kept(
    fetch: Callable[[str], Path | str], tmp_path: Path, path: str, why: str
) -> None:
    assert fetch(path) == why
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_server_that_dawdles_is_cut_off(
    fetch: Callable[[str], Path | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SECONDS", 0.3)
    assert fetch("/slow") == "the server takes too long"


def test_a_server_that_is_not_there_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(address: str) -> bool:
        asked.append(address)
        return True

    urls = [f"http://127.0.0.1:1/{n}.png" for n in range(3)]
    found = downloads.fetch(urls, 1, tmp_path, counted)
    assert set(found.values()) == {"there is no connection to 127.0.0.1"}
    assert asked == ["127.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png",
        "http://localhost/x.png",
        "http://[::1]/x.png",
        "http://[::ffff:10.0.0.1]/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://192.168.1.1/x.png",
        "http://10.1.2.3:8080/x.png",
        "http://0.0.0.0/x.png",
        "http://2130706433/x.png",
        "http://user:secret@127.0.0.1/x.png",
    ],
)
def test_nothing_of_the_own_network_is_asked(url: str, tmp_path: Path) -> None:
    why = downloads.fetch([url], 1, tmp_path)[url]
    assert isinstance(why, str) and why.endswith("lies in a private network")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("::ffff:93.184.215.14", True),
    ],
)
def test_an_address_is_public_or_not_whatever_wraps_it(address: str, public: bool) -> None:
    assert downloads.is_public(address) is public


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "https:///x", "http://a b/x", "http://\ud83d"]
)
def test_an_address_that_is_none_is_told(url: str, tmp_path: Path) -> None:
    assert isinstance(downloads.fetch([url], 1, tmp_path)[url], str)


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Obs2ankiError, match="Give yourself the right"):
        downloads.fetch([f"{site.url}/cell.png"], 1, tmp_path / "file", this_server)


# ---------------------------------------------------------------- an export


@pytest.fixture
def cards(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vault that shows files of the site and may fetch them."""
    monkeypatch.setattr(downloads, "cache_folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(downloads, "is_public", this_server)
    monkeypatch.chdir(tmp_path)
    text = f"""\
A cell;; ![A cell|300]({site.url}/cell.png)
Its call;; ![]({site.url}/call) and <img src="{site.url}/cell.png" onerror="x">
Gone;; ![]({site.url}/missing.png)
A film;; <video src="{site.url}/page.mp4"></video>
"""
    return vault(tmp_path / "v", {"a.md": text, "obs2anki.toml": "[media]\ndownload = true\n"})


def test_an_export_packs_what_was_fetched_and_says_what_was_not(
    cards: Path, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = run(["export", str(cards), "-o", "a.apkg"], capsys)
    assert told.code == cli.DONE
    assert "v/a.md:3:12: O610 " in told.err and "the server answers 404" in told.err
    assert "2 images or sounds of the web are not in the deck" in told.out
    assert "download = true" not in told.out
    asked = list(site.asked)
    assert len(asked) == len(set(asked)) == 4
    first = (tmp_path / "a.apkg").read_bytes()
    with collection(tmp_path) as col:
        bring(col, tmp_path / "a.apkg")
        assert complaints(col) == ()
        names = {file.name for file in Path(col.media.dir()).iterdir()}
        assert {name.partition("-")[0] for name in names} == {"cell", "call"}
    run(["export", str(cards), "-o", "b.apkg"], capsys)
    assert (tmp_path / "b.apkg").read_bytes() == first
    assert site.asked[4:] == ["/missing.png", "/page.mp4"]


def test_without_the_setting_nothing_is_asked(
    cards: Path, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cards / "obs2anki.toml").unlink()
    told = run(["export", str(cards), "-o", "a.apkg"], capsys)
    assert (told.code, site.asked) == (cli.DONE, [])
    assert "4 images or sounds of the web are not in the deck" in told.out
    assert "    download = true" in told.out
    with zipfile.ZipFile(tmp_path / "a.apkg") as package:
        assert package.read("media") == b"{}"


def test_what_is_kept_needs_no_connection(
    cards: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build.prepare(build.Request(cards)).plan
    monkeypatch.setattr(downloads, "is_public", lambda _: False)
    after = build.prepare(build.Request(cards)).plan
    assert [n.fields for n in after.notes] == [n.fields for n in before.notes]
    assert after.media == before.media
    assert all("private network" in d.message for d in after.diagnostics)
