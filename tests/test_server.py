"""A vault and a sync server: what other devices have after a sync, and after one that broke.

The server is Anki's own, on a port of this machine; the devices are Anki's own engine.
"""

from __future__ import annotations

import _thread
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keyring
import pytest
from anki.collection import Collection
from anki.decks import DeckId
from keyring.backend import KeyringBackend
from keyring.backends import fail

from obs2anki import build, cli, credentials, reconcile, syncing
from obs2anki.build import Request
from obs2anki.credentials import Account, Sources
from obs2anki.deeds import ORPHAN_TAG, Anki, Prefer, Verb
from obs2anki.destinations import server
from obs2anki.destinations.server import Server
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.reconcile import NOTHING_MORE, Wishes
from obs2anki.syncing import Ending, Synced, Terms
from tests import anki_collection, sync_server, synced
from tests.anki_collection import answer_good
from tests.sync_server import PASSWORD, USER, Device, Relay, SyncServer
from tests.synced import FIRST, REVIEWED, card, done, fronts, guid, note

ROOT = Path(__file__).resolve().parent.parent

Capture = pytest.CaptureFixture[str]

GIVEN = Sources({credentials.VARIABLE: PASSWORD})


@dataclass(slots=True)
class Home:
    """A vault, a sync server, the way to it, and where obs2anki keeps its mirrors."""

    folder: Path
    server: SyncServer
    relay: Relay
    consent: Callable[[str], bool] = lambda _: True
    asked: list[str] = field(default_factory=list)

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    @property
    def root(self) -> Path:
        return self.folder / "data"

    @property
    def mirror(self) -> Path:
        (found,) = self.root.iterdir()
        return found

    def write(self, documents: dict[str, str]) -> None:
        """The vault now holds these documents, and no others."""
        synced.Both(self.vault, self.root).write(documents)

    def place(self, sources: Sources = GIVEN) -> Server:
        """The server, as obs2anki reaches it."""

        def consent(question: str) -> bool:
            self.asked.append(question)
            return self.consent(question)

        return Server(Account(USER, self.relay.url), sources, consent, root=self.root)

    def sync(
        self,
        wishes: Wishes = NOTHING_MORE,
        *,
        dry_run: bool = False,
        sources: Sources = GIVEN,
    ) -> Synced:
        """One sync, which touches no card on the server but those that it says."""
        terms = Terms(lambda _: True, wishes, dry_run)
        before: list[synced.Standing] = []

        @contextmanager
        def session() -> Iterator[Anki]:
            with self.place(sources).session() as anki:
                before.append(synced.standing_in(self.mirror / "collection.anki2"))
                yield anki

        result = syncing.sync(Request(self.vault), session, terms)
        if before:
            after = synced.standing_in(self.mirror / "collection.anki2")
            synced.left_alone(before[0], after, result)
        return result

    def command(self) -> subprocess.Popen[bytes]:
        """The same as a process of its own."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "obs2anki", "sync", str(self.vault)),
                *("--server", self.relay.url, "--yes"),
            ],
            env=os.environ
            | {
                credentials.VARIABLE: PASSWORD,
                "XDG_DATA_HOME": str(self.folder / "xdg"),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            },
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def device(self, name: str = "phone") -> AbstractContextManager[Device]:
        """A device of the user's, past obs2anki."""
        return sync_server.device(self.folder / name, self.server)

    @contextmanager
    def phone(self) -> Iterator[Device]:
        """The user's phone: synced, used, and synced again."""
        with self.device() as phone:
            phone.sync()
            yield phone
            phone.sync()

    def held(self) -> Held:
        """What a new device gets from the server, and what Anki's check says of it."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        with self.device("new") as new:
            new.sync()
            held = Held(anki_collection.cards(new.col), standing(new.col).reviews)
            assert anki_collection.complaints(new.col) == ()
        return held


def standing(col: Collection) -> synced.Standing:
    """How far the user has come; the number of the sync that brought a review does not count."""
    found = synced.standing(col)
    return replace(found, reviews=tuple((*row[:2], *row[3:]) for row in found.reviews))


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds: notes with their cards, and every review."""

    cards: tuple[anki_collection.Seen, ...]
    reviews: tuple[synced.Row, ...]


class Nothing(fail.Keyring):
    """No keyring at all."""

    def __init__(self) -> None:
        """The library's own has no types."""


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    """The keyring of whoever runs the tests is left alone."""
    before = keyring.get_keyring()
    keyring.set_keyring(Nothing())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "vault").mkdir()
    with (
        sync_server.running(tmp_path / "server") as server,
        sync_server.relayed(server) as relay,
    ):
        home = Home(tmp_path, server, relay)
        (home.vault / "obs2anki.toml").write_text(f'[sync]\nuser = "{USER}"\n')
        yield home


@pytest.fixture
def studied(home: Home) -> Home:
    """A vault that was synced, and a phone on which two cards were answered since."""
    home.write(FIRST)
    home.sync()
    with home.phone() as phone:
        synced.study(phone.col)
    return home


# ---------------------------------------------------------------- first meeting


def test_a_server_that_holds_nothing_gets_the_vault_if_the_user_agrees(home: Home) -> None:
    home.write(FIRST)
    home.consent = lambda _: False
    with pytest.raises(Obs2ankiError, match="holds no cards yet, and nothing was uploaded"):
        home.sync()
    assert home.held().cards == ()
    home.consent = lambda _: True
    assert done(home.sync()) == {Verb.ADD: 3}
    assert len(home.asked) == 2
    with home.device() as phone:
        phone.sync()
        assert fronts(phone.col) == ["What makes ATP?", "hus", "new"]
        assert card(phone.col, "What makes ATP?").ivl == 14
        assert anki_collection.complaints(phone.col) == ()


def test_a_server_that_holds_cards_is_never_asked_about(home: Home) -> None:
    with home.device() as phone:
        for word in ("mine", "also mine"):
            one = phone.col.new_note(_notetype(phone.col, "Basic"))
            one["Front"] = word
            phone.col.add_note(one, _deck(phone.col))
        answer_good(phone.col, guid(phone.col, "mine"))
        before = standing(phone.col)
        phone.sync()
        home.write(FIRST)
        assert done(home.sync()) == {Verb.ADD: 3}
        phone.sync()
        after = standing(phone.col)
        assert after.reviews == before.reviews
        assert {number: after.cards[number] for number in before.cards} == before.cards
        assert len(fronts(phone.col)) == 5
        assert anki_collection.complaints(phone.col) == ()
    assert home.asked == []


def test_two_computers_with_one_vault_double_nothing(studied: Home, tmp_path: Path) -> None:
    before = studied.held()
    shutil.rmtree(studied.root)
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    assert studied.held() == before


@pytest.mark.parametrize("ledger_too", [True, False])
def test_two_computers_that_sync_in_turn_lose_and_double_nothing(
    studied: Home, ledger_too: bool
) -> None:
    laptop, desk = studied, Home(studied.folder / "desk", studied.server, studied.relay)
    shutil.copytree(laptop.vault, desk.vault)

    def carry(source: Home, target: Home) -> None:
        for file in (path for path in source.vault.rglob("*") if path.is_file()):
            if ledger_too or ".obs2anki" not in file.parts:
                shutil.copyfile(file, target.vault / file.relative_to(source.vault))

    assert done(desk.sync()) == {Verb.UNCHANGED: 3}
    text = FIRST["a.md"].replace("new;;one", "new;;two") + "\n\nfrom the laptop;;;a card"
    laptop.write({"a.md": text})
    assert done(laptop.sync()) == {Verb.ADD: 1, Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with laptop.phone() as phone:
        answer_good(phone.col, guid(phone.col, "from the laptop"), 1)
        mine = note(phone.col, "hus")
        mine["Back"] = "on the phone"
        phone.col.update_note(mine)
        wanted = standing(phone.col)
    carry(laptop, desk)
    assert done(desk.sync()) == {Verb.UNCHANGED: 4}
    whole = text.replace("ATP?", "the ATP of a cell?") + "\n\nfrom the desk;;too"
    desk.write({"a.md": whole})
    assert done(desk.sync()) == {Verb.ADD: 1, Verb.UPDATE: 1, Verb.UNCHANGED: 3}
    carry(desk, laptop)
    assert done(laptop.sync()) == {Verb.UNCHANGED: 5}
    desk.write({"a.md": "from the desk;;too\n\nhus;;;house"})
    assert done(desk.sync())[Verb.SUSPEND] == 3
    carry(desk, laptop)
    assert set(done(laptop.sync())) == {Verb.UNCHANGED}
    desk.write({"a.md": whole})
    carry(desk, laptop)
    assert done(laptop.sync())[Verb.WAKE] == 3
    assert set(done(desk.sync())) == {Verb.UNCHANGED}
    with laptop.phone() as phone:
        assert fronts(phone.col) == sorted(
            ["What makes the ATP of a cell?", "hus", "new", "from the laptop", "from the desk"]
        )
        assert note(phone.col, "hus")["Back"] == "on the phone"
        found = standing(phone.col)
        assert found.reviews == wanted.reviews
        assert {number: found.cards[number] for number in wanted.cards} == wanted.cards
        assert anki_collection.complaints(phone.col) == ()


# ---------------------------------------------------------------- from sync to sync


def test_with_nothing_changed_nothing_is_written(studied: Home) -> None:
    before = studied.held()
    studied.sync()
    mirror = (studied.mirror / "collection.anki2").read_bytes()
    studied.relay.paths.clear()
    assert studied.sync().ending is Ending.UNCHANGED
    assert studied.relay.paths == ["/sync/hostKey", "/sync/meta"]
    assert (studied.mirror / "collection.anki2").read_bytes() == mirror
    assert studied.held() == before


def test_a_dry_run_leaves_the_server_as_it_is(studied: Home) -> None:
    before = studied.held()
    studied.write({"a.md": "other;;thing"})
    assert studied.sync(dry_run=True).ending is Ending.PREVIEWED
    assert studied.held() == before


def test_reviews_made_on_a_device_stay_while_the_vault_is_reworded(studied: Home) -> None:
    before = studied.held()
    studied.write({"a.md": f"What makes ATP?;;The mitochondria\n{REVIEWED}\n\nhus;;;a house\n"})
    result = done(studied.sync())
    assert result == {Verb.UPDATE: 2, Verb.SUSPEND: 1}
    after = studied.held()
    assert after.reviews == before.reviews
    assert [(c.guid, c.ordinal, c.interval, c.factor, c.reps, c.due) for c in after.cards] == [
        (c.guid, c.ordinal, c.interval, c.factor, c.reps, c.due) for c in before.cards
    ]
    with studied.phone() as phone:
        assert note(phone.col, "What makes ATP?")["Back"] == "The mitochondria"
        answer_good(phone.col, guid(phone.col, "What makes ATP?"))
        wanted = standing(phone.col)
    studied.sync()
    with studied.phone() as phone:
        assert standing(phone.col) == wanted


def test_what_both_sides_edited_stays_as_on_the_device_until_it_is_decided(studied: Home) -> None:
    with studied.phone() as phone:
        edited = note(phone.col, "new")
        edited["Back"] = "on the phone"
        phone.col.update_note(edited)
    studied.write(FIRST | {"a.md": FIRST["a.md"].replace("new;;one", "new;;in the vault")})
    assert done(studied.sync())[Verb.CONFLICT] == 1
    with studied.phone() as phone:
        assert note(phone.col, "new")["Back"] == "on the phone"
    assert done(studied.sync(Wishes(Prefer.VAULT)))[Verb.UPDATE] == 1
    with studied.phone() as phone:
        assert note(phone.col, "new")["Back"] == "in the vault"


def test_what_leaves_sleeps_on_every_device_and_wakes_when_it_is_back(studied: Home) -> None:
    before = studied.held()
    studied.write({"a.md": "hus;;;house\n\nnew;;one"})
    assert done(studied.sync())[Verb.SUSPEND] == 1
    with studied.phone() as phone:
        assert card(phone.col, "What makes ATP?").queue == -1
        assert ORPHAN_TAG in note(phone.col, "What makes ATP?").tags
    studied.write(FIRST)
    assert done(studied.sync())[Verb.WAKE] == 1
    after = studied.held()
    assert after.reviews == before.reviews
    assert after.cards == before.cards


def test_media_go_both_ways(home: Home) -> None:
    home.write({"a.md": "What is it?;;![[cell.png]]"})
    (home.vault / "cell.png").write_bytes(b"a cell")
    home.sync()
    with home.phone() as phone:
        folder = Path(phone.col.media.dir())
        (name,) = (file.name for file in folder.iterdir())
        assert (folder / name).read_bytes() == b"a cell"
        assert name in note(phone.col, "What is it?")["Back"]
        phone.col.media.write_data("mine.png", b"mine")
    (home.vault / "other.png").write_bytes(b"another")
    home.write({"a.md": "What is it?;;![[cell.png]]\n\nAnd this?;;![[other.png]]"})
    home.sync()
    held = {file.name: file.read_bytes() for file in (home.mirror / "collection.media").iterdir()}
    assert sorted(held.values()) == [b"a cell", b"another", b"mine"]
    with home.phone() as phone:
        folder = Path(phone.col.media.dir())
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == held


def test_a_device_that_syncs_in_between_is_not_written_over(studied: Home) -> None:
    studied.write({"a.md": "hus;;;home\n\nnew;;one"})
    plan = build.prepare(Request(studied.vault)).plan
    with studied.place().session() as anki:
        changes, _ = reconcile.changes(plan, anki.read(plan.namespace))
        with studied.phone() as phone:
            answer_good(phone.col, guid(phone.col, "new"))
            wanted = standing(phone.col).reviews
        with pytest.raises(Obs2ankiError, match="Another device synced"):
            anki.apply(changes, plan)
    assert studied.held().reviews == wanted
    studied.sync()
    held = studied.held()
    assert held.reviews == wanted
    assert {c.fields[1] for c in held.cards if c.fields[0] == "hus"} == {"home"}


# ---------------------------------------------------------------- one way


def test_a_collection_that_was_uploaded_anew_is_not_replaced_unasked(studied: Home) -> None:
    with studied.device() as phone:
        phone.sync()
        phone.col.mod_schema(check=False)
        answer_good(phone.col, guid(phone.col, "new"))
        phone.transfer(upload=True)
    before = studied.held()
    mirror = (studied.mirror / "collection.anki2").read_bytes()
    studied.write({"a.md": "hus;;;home\n\nnew;;one"})
    with pytest.raises(Obs2ankiError, match="not the one that was synced last") as told:
        studied.sync()
    assert str(studied.mirror) in str(told.value)
    assert (studied.mirror / "collection.anki2").read_bytes() == mirror
    assert studied.held() == before
    shutil.rmtree(studied.mirror)  # as the sentence says
    assert done(studied.sync())[Verb.UPDATE] == 1
    assert studied.held().reviews == before.reviews


def test_a_server_that_lost_everything_gets_nothing_unasked(studied: Home) -> None:
    studied.sync()
    studied.server.kill()
    shutil.rmtree(studied.server.folder)
    studied.server.start()
    studied.write({"a.md": "hus;;;home\n\nnew;;one"})
    with pytest.raises(Obs2ankiError, match="not the one that was synced last"):
        studied.sync()
    assert studied.held().cards == ()


# ---------------------------------------------------------------- who syncs


class Ring(KeyringBackend):
    """A keyring that forgets everything in the end."""

    priority = 5.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


class PlainFile(Ring):
    """A keyring that the library advises against."""

    priority = 0.5


def test_a_keyring_keeps_the_key_and_never_the_password(home: Home) -> None:
    home.write(FIRST)
    ring = Ring()
    keyring.set_keyring(ring)
    home.sync()
    account = f"{USER} {home.relay.url.rstrip('/')}"
    assert list(ring.held) == [("obs2anki session", account)]
    assert PASSWORD not in ring.held.values()
    home.relay.paths.clear()
    home.sync(sources=Sources())
    assert "/sync/hostKey" not in home.relay.paths
    # A key that the server has forgotten is no obstacle for who knows the password.
    ring.held["obs2anki session", account] = "0" * 40
    assert home.sync().ending is Ending.UNCHANGED
    assert ring.held["obs2anki session", account] != "0" * 40
    ring.held = {("obs2anki", account): PASSWORD}
    assert home.sync(sources=Sources()).ending is Ending.UNCHANGED


def test_a_keyring_that_is_a_plain_file_gets_nothing(home: Home) -> None:
    home.write(FIRST)
    ring = PlainFile()
    keyring.set_keyring(ring)
    home.sync()
    assert ring.held == {}


def test_a_prompt_is_asked_where_nothing_else_knows(home: Home) -> None:
    home.write(FIRST)
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    home.sync(sources=Sources(ask=ask))
    assert asked == [f"Password of {USER} for {home.relay.url.rstrip('/')}: "]


def test_a_password_never_shows_itself() -> None:
    sources = Sources({credentials.VARIABLE: PASSWORD})
    given = credentials.password(Account(USER), sources)
    assert PASSWORD not in repr(given) + repr(sources) + str(given)


def test_a_server_that_only_the_vault_names_does_not_get_the_password_of_the_environment() -> None:
    sources = Sources({credentials.VARIABLE: PASSWORD}, trusted=False)
    with pytest.raises(Obs2ankiError, match=r"--server https://evil\.example/"):
        credentials.password(Account(USER, "https://evil.example/"), sources)


def test_accounts_have_folders_of_their_own() -> None:
    accounts = [
        Account("anna"),
        Account("ben"),
        Account("anna", "https://a.example/"),
        Account("anna", "https://b.example/"),
        Account("anna", "https://a.example:8080/"),
    ]
    assert len({one.folder for one in accounts}) == len(accounts)
    assert all("/" not in one.folder and "\\" not in one.folder for one in accounts)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another thing there")
def test_only_the_user_can_read_the_mirror(studied: Home) -> None:
    studied.sync()
    assert studied.mirror.stat().st_mode & 0o777 == 0o700
    for file in studied.mirror.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


# ---------------------------------------------------------------- what goes wrong


def test_a_server_that_is_down_is_said_and_leaves_all_as_it_was(studied: Home) -> None:
    before = studied.held()
    studied.write({"a.md": "hus;;;home\n\nnew;;one"})
    studied.server.kill()
    with pytest.raises(Obs2ankiError, match="cannot be reached"):
        studied.sync()
    studied.server.start()
    assert studied.held() == before
    assert done(studied.sync())[Verb.UPDATE] == 1


def test_the_command_says_what_is_wrong_and_ends_with_2(
    home: Home, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home.folder / "xdg"))
    home.write(FIRST)
    sync = ["sync", str(home.vault), "--server", home.relay.url]
    monkeypatch.delenv(credentials.VARIABLE, raising=False)
    assert (cli.run(sync), "There is no password of anna" in capsys.readouterr().err) == (2, True)
    monkeypatch.setenv(credentials.VARIABLE, "not the password")
    assert cli.run(sync) == 2
    said = capsys.readouterr()
    assert "refuses anna with the password from the variable OBS2ANKI_PASSWORD" in said.err
    assert "not the password" not in said.err + said.out
    monkeypatch.setenv(credentials.VARIABLE, PASSWORD)
    assert (cli.run(sync), "holds no cards yet" in capsys.readouterr().err) == (2, True)
    assert (cli.run([*sync, "--yes"]), capsys.readouterr().err) == (0, "")
    assert (cli.run(sync), "follows the vault already" in capsys.readouterr().out) == (0, True)
    (home.vault / "obs2anki.toml").write_text("")
    assert (cli.run(sync), "Nobody is named who syncs" in capsys.readouterr().err) == (2, True)


def test_server_stands_with_its_address_or_without(home: Home, capsys: Capture) -> None:
    (home.vault / "obs2anki.toml").write_text('[sync]\nuser = "anna"\nserver = "http://[::1]:9/"\n')
    home.write(FIRST)
    for arguments in (["--server"], ["--server", "--dry-run"]):
        assert cli.run(["sync", str(home.vault), *arguments]) == 2
        assert "no password of anna for http://[::1]:9." in capsys.readouterr().err
    assert cli.run(["sync", "--server", str(home.vault)]) == 2
    assert "no password of anna for http://[::1]:9." in capsys.readouterr().err
    assert cli.run(["sync", str(home.vault), "--server", "ftp://x.example"]) == 2
    assert "is not the address of a sync server" in capsys.readouterr().err


def test_prune_deletes_on_the_server_what_has_left(
    studied: Home, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(studied.folder / "xdg"))
    monkeypatch.setenv(credentials.VARIABLE, PASSWORD)
    studied.write({"a.md": "hus;;;house"})
    studied.sync()
    server = ["--server", studied.relay.url, "--yes"]
    assert cli.run(["prune", str(studied.vault), *server]) == 2
    assert "give --force" in capsys.readouterr().err
    assert cli.run(["prune", str(studied.vault), *server, "--force"]) == 0
    with studied.phone() as phone:
        assert fronts(phone.col) == ["hus"]
        assert anki_collection.complaints(phone.col) == ()


@pytest.mark.skipif(sys.platform == "win32", reason="no signal asks a process to end there")
@pytest.mark.parametrize("number", [2, 10, 22])
def test_who_ends_the_process_need_not_wait_for_the_server(torn: Home, number: int) -> None:
    start = moment(torn)
    wanted, media, _ = finished(torn)
    start.again()
    child = torn.command()

    def keep_waiting() -> None:
        child.terminate()
        child.wait()

    torn.relay.break_at(number, "before", keep_waiting)
    assert child.wait() == 128 + signal.SIGTERM
    _adopt(torn)
    assert finished(torn)[:2] == (wanted, media)


def test_who_ends_it_before_the_engine_listens_need_not_wait_either() -> None:
    listening, over = threading.Event(), threading.Event()

    def work() -> bool:
        time.sleep(0.3)
        listening.set()
        return over.wait(20)

    def abort() -> None:
        if listening.is_set():
            over.set()

    threading.Timer(0.1, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        server._interruptibly(work, abort)
    assert over.is_set()


@contextmanager
def answering(reply: dict[str, object] | int) -> Iterator[str]:
    """A server that answers everything with the same."""
    body = json.dumps(reply).encode()
    # A frame of zstd that holds one block as it is (RFC 8878, 3.1.1).
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)])
    frame += (len(body) << 3 | 1).to_bytes(3, "little") + body

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(reply if isinstance(reply, int) else 200)
            self.send_header("anki-original-size", str(len(body)))
            self.end_headers()
            self.wfile.write(frame)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


LATE = {"mod": 1, "scm": 1, "usn": 0, "ts": 1, "msg": "", "cont": True, "hostNum": 0, "key": "k"}
LATE["media_usn"] = 0


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (LATE, "The clock here and that of http.* are more than five minutes apart"),
        (LATE | {"cont": False, "msg": "Closed today"}, r"failed \(Closed today\)"),
        (409, "Another device is syncing with http"),
        (500, "has a fault of its own"),
        (501, "too new for the engine installed here"),
        (404, "cannot be reached"),
    ],
)
def test_what_a_server_refuses_is_said_in_a_sentence(
    reply: dict[str, object] | int, sentence: str, tmp_path: Path
) -> None:
    with answering(reply) as url:
        place = Server(Account(USER, url), GIVEN, root=tmp_path)
        with pytest.raises(Obs2ankiError, match=sentence), place.session():
            pass


# ---------------------------------------------------------------- what breaks half-way


@pytest.fixture
def torn(home: Home) -> Home:
    """A vault that has much to say to a server, on which the user was busy since."""
    home.write(FIRST)
    home.sync()
    with home.phone() as phone:
        synced.study(phone.col)
        phone.col.media.write_data("mine.png", b"mine")
        mine = phone.col.new_note(_notetype(phone.col, "Basic"))
        mine["Front"] = '<img src="mine.png">'
        phone.col.add_note(mine, _deck(phone.col))
    (home.vault / "cell.png").write_bytes(b"a cell")
    picture = "And what is the picture of the cell?;;![[cell.png]]"
    home.write({"a.md": f"hus;;;a house\n\n{picture}", "b.md": f"x;;y\n{REVIEWED}"})
    return home


@dataclass(frozen=True, slots=True)
class Moment:
    """The server, the vault and the mirrors at one moment, to come back to."""

    home: Home
    folder: Path

    def again(self) -> None:
        """Come back to it."""
        self.home.server.kill()
        for name in ("server", "vault", "data", "xdg"):
            shutil.rmtree(self.home.folder / name, ignore_errors=True)
            if (self.folder / name).exists():
                shutil.copytree(self.folder / name, self.home.folder / name)
        self.home.server.start()


def moment(home: Home) -> Moment:
    """This moment. The processes of `command` have the same mirrors as this one."""
    home.server.kill()
    folder = home.folder / "moment"
    for name in ("server", "vault", "data"):
        shutil.copytree(home.folder / name, folder / name)
    shutil.copytree(home.root, folder / "xdg" / "obs2anki" / "sync")
    home.server.start()
    return Moment(home, folder)


def finished(home: Home) -> tuple[Held, list[str], list[str]]:
    """What the server holds when all is done, names of media, and the requests that it took."""
    home.relay.break_at(None, "", lambda: None)
    result = home.sync()
    assert result.ending in (Ending.WRITTEN, Ending.UNCHANGED)
    requests = list(home.relay.paths)
    held = home.held()
    media = sorted(file.name for file in (home.folder / "new" / "collection.media").iterdir())
    assert home.sync().ending is Ending.UNCHANGED
    assert not (home.mirror / "before").exists()
    return held, media, requests


WRITING = ("/sync/applyChunk", "/sync/finish", "/msync/uploadChanges")
"""Requests after which the server holds more than the client knows."""


def test_wherever_the_server_goes_away_the_next_sync_finishes_the_job(torn: Home) -> None:
    start = moment(torn)
    before = torn.held()
    wanted, media, requests = finished(torn)
    assert before.reviews == wanted.reviews
    assert len(media) == 2
    moments = [(number, "before") for number in range(1, len(requests) + 1, 2)]
    moments += [(n, "after") for n, path in enumerate(requests, start=1) if path in WRITING]
    for number, when in moments:
        start.again()
        torn.relay.break_at(number, when, torn.server.kill)
        with pytest.raises(Obs2ankiError):
            torn.sync()
        torn.server.start()
        assert finished(torn)[:2] == (wanted, media), (number, when)


def test_wherever_the_process_is_killed_the_next_sync_finishes_the_job(torn: Home) -> None:
    start = moment(torn)
    wanted, media, requests = finished(torn)
    for number, path in enumerate(requests, start=1):
        if path not in (*WRITING, "/sync/meta"):
            continue
        start.again()
        child = torn.command()
        torn.relay.break_at(number, "after", lambda child=child: child.kill())  # type: ignore[misc]  # mypy cannot infer a default
        assert child.wait() == -signal.SIGKILL, number
        _adopt(torn)
        assert finished(torn)[:2] == (wanted, media), number


@pytest.mark.parametrize("last", ["/sync/meta", "/sync/applyChunk", "/sync/finish"])
def test_what_is_reworded_after_the_process_was_killed_is_not_doubled(
    torn: Home, last: str
) -> None:
    start = moment(torn)
    _, _, requests = finished(torn)
    start.again()
    before = torn.held()
    child = torn.command()
    number = len(requests) - requests[::-1].index(last)
    torn.relay.break_at(number, "after", child.kill)
    assert child.wait() == -signal.SIGKILL
    _adopt(torn)
    question = "And what is the picture of the cell that stands here?"
    torn.write({"a.md": f"hus;;;a house\n\n{question};;![[cell.png]]", "b.md": f"x;;z\n{REVIEWED}"})
    held = finished(torn)[0]
    awake = {card.fields[0] for card in held.cards if ORPHAN_TAG not in card.tags}
    assert awake - {'<img src="mine.png">'} == {"hus", question, "x"}
    assert {card.fields[1] for card in held.cards if card.fields[0] == "x"} == {"z"}
    assert held.reviews == before.reviews
    assert len(held.cards) == len({(card.guid, card.ordinal) for card in held.cards})


def test_a_process_killed_at_any_moment_leaves_what_the_next_sync_finishes(torn: Home) -> None:
    start = moment(torn)
    wanted, media, _ = finished(torn)
    chance = random.Random(7)
    for _ in range(6):
        start.again()
        torn.relay.break_at(None, "", lambda: None)
        child = torn.command()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3 + 1.7 * chance.random())
            raise subprocess.TimeoutExpired("", 0)  # it was quicker
        child.kill()
        child.wait()
        _adopt(torn)
        assert finished(torn)[:2] == (wanted, media)


def _adopt(home: Home) -> None:
    """Take the mirrors of the killed process for those of this one."""
    shutil.rmtree(home.root)
    shutil.copytree(home.folder / "xdg" / "obs2anki" / "sync", home.root)


# ---------------------------------------------------------------- small facts about Anki


def _notetype(col: Collection, name: str) -> dict[str, object]:
    found = col.models.by_name(name)
    assert found is not None
    return found


def _deck(col: Collection) -> DeckId:
    return DeckId(1)
