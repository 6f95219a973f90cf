"""The watch: when a round is due, what counts as a change, and the real thing on a real disk."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import watch_kills
from obs2anki import build, credentials, ledger, syncing, watch
from obs2anki.build import Outcome, Request, Round, Verdict
from obs2anki.data import VaultPath
from obs2anki.deeds import Add, Applied, Changes, Place
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.syncing import Ending, Synced
from obs2anki.watch import AGAIN, MOST, POLITE, QUIET, Done, News, Stamp, Stamps, Vigil, scan
from tests import anki_collection, sync_server
from tests.ankiconnect_server import serving
from tests.commands import PLUGIN, ROOT, held, run, tagged, vault
from tests.packages import rows
from tests.synced import both, fronts, guid, note, standing

DAY = date(2026, 1, 1)


def stamps(**sizes: int) -> Stamps:
    return {name: Stamp((size, 0, 0)) for name, size in sizes.items()}


# ---------------------------------------------------------------- when a round is due


def test_the_first_round_waits_for_nothing() -> None:
    assert Vigil().looked(0, stamps(a=1)).is_due(0, DAY)


def test_without_a_change_no_round_is_due() -> None:
    vigil = Vigil().succeeded(stamps(a=1), DAY).looked(5, stamps(a=1))
    assert not vigil.is_due(1_000_000, DAY)


def test_a_round_begins_when_changes_have_been_silent_for_a_moment() -> None:
    vigil = Vigil().succeeded(stamps(a=1), DAY).looked(10, stamps(a=2))
    assert not vigil.is_due(10, DAY)
    vigil = vigil.looked(10 + QUIET, stamps(a=2))
    assert vigil.is_due(10 + QUIET, DAY)


def test_a_further_change_starts_the_silence_anew() -> None:
    vigil = Vigil().succeeded(stamps(a=1), DAY).looked(10, stamps(a=2))
    again = 10 + QUIET / 2
    vigil = vigil.looked(again, stamps(a=3))
    assert not vigil.is_due(10 + QUIET, DAY)
    assert vigil.is_due(again + QUIET, DAY)


def test_changes_without_end_put_a_round_off_for_a_second_at_most() -> None:
    vigil, now, number = Vigil().succeeded(stamps(a=0), DAY), 0.0, 1
    vigil = vigil.looked(now, stamps(a=number))
    while not vigil.is_due(now, DAY):
        now = vigil.next_look(now, 30)
        number += 1
        vigil = vigil.looked(now, stamps(a=number))
    assert now == MOST


def test_what_is_taken_back_makes_no_round() -> None:
    vigil = Vigil().succeeded(stamps(a=1), DAY)
    vigil = vigil.looked(0, stamps(a=2)).looked(0.05, stamps(a=1))
    assert not vigil.is_due(60, DAY)


def test_what_changes_during_a_round_makes_another_one() -> None:
    before = stamps(a=1)
    vigil = Vigil().looked(0, before).succeeded(before, DAY).looked(3, stamps(a=2))
    assert vigil.is_due(vigil.next_look(3, 30), DAY)


def test_a_refused_round_is_tried_again_less_and_less_often() -> None:
    vigil, now, pauses = Vigil(), 0.0, []
    for _ in range(9):
        vigil = vigil.failed(now, stamps(a=1), DAY).looked(now, stamps(a=1))
        assert not vigil.is_due(now, DAY)
        then = vigil.next_look(now, 1e9)
        assert vigil.is_due(then, DAY)
        pauses.append(then - now)
        now = then
    assert pauses[0] == AGAIN[0] and pauses[-1] == AGAIN[1] and pauses == sorted(pauses)


def test_a_change_after_a_refused_round_does_not_wait_for_the_next_try() -> None:
    vigil = Vigil()
    for _ in range(9):
        vigil = vigil.failed(0, stamps(a=1), DAY)
    vigil = vigil.looked(1, stamps(a=2))
    assert vigil.is_due(vigil.next_look(1, 30), DAY)


def test_a_new_day_makes_a_round() -> None:
    vigil = Vigil().succeeded(stamps(a=1), DAY).looked(5, stamps(a=1))
    assert vigil.is_due(6, date(2026, 1, 2))


def test_a_server_is_not_asked_again_within_a_minute() -> None:
    vigil = Vigil(pace=POLITE).succeeded(stamps(a=1), DAY).ended(100).looked(101, stamps(a=2))
    assert vigil.next_look(101, 30) == 160
    assert not vigil.is_due(159, DAY) and vigil.is_due(160, DAY)
    refused = vigil.failed(161, stamps(a=2), DAY).ended(161).looked(162, stamps(a=3))
    assert not refused.is_due(220, DAY) and refused.is_due(221, DAY)
    assert not vigil.succeeded(stamps(a=2), DAY).ended(161).is_due(162, date(2026, 1, 2))


def test_a_server_is_asked_once_a_minute_while_changes_go_on() -> None:
    vigil, now, begun = Vigil(pace=POLITE).succeeded(stamps(a=0), DAY).ended(0), 0.0, []
    for number in range(1, 600):
        now += 1
        vigil = vigil.looked(now, stamps(a=number))
        if vigil.is_due(now, DAY):
            begun.append(now)
            vigil = vigil.succeeded(stamps(a=number), DAY).ended(now)
    assert len(begun) == 9 and min(b - a for a, b in pairwise(begun)) >= 60


# ---------------------------------------------------------------- what counts as a change


def changes(root: Path, change: Callable[[], object], own: Iterable[Path] = ()) -> bool:
    """Whether a scan sees what `change` does."""
    before = scan(root, own)
    change()
    return scan(root, own) != before


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vault(
        tmp_path / "v",
        {"a.md": "Q;; A", "b/c.md": "R;; B", ".obsidian/app.json": "{}", PLUGIN: tagged()},
    ).resolve()


@pytest.mark.parametrize(
    "path",
    ["a.md", "b/c.md", "new.md", "picture.png", "obs2anki.toml", ".obsidian/app.json", PLUGIN],
)
def test_what_decides_on_a_deck_counts(path: str, root: Path) -> None:
    assert changes(root, lambda: vault(root, {path: "other"}))


@pytest.mark.parametrize(
    "path", [".obsidian/workspace.json", ".git/index", ".trash/a.md", "b/.a.md.swp", ".x/y/z.md"]
)
def test_hidden_files_do_not_count(path: str, root: Path) -> None:
    assert not changes(root, lambda: vault(root, {path: "other"}))


def test_the_same_text_saved_by_replacing_the_file_counts(root: Path) -> None:
    def save() -> None:
        other = root / ".a.md.tmp"
        shutil.copy2(root / "a.md", other)  # with its time
        other.replace(root / "a.md")

    assert changes(root, save)


def test_renaming_a_folder_moving_it_out_and_deleting_it_count(root: Path) -> None:
    assert changes(root, lambda: (root / "b").rename(root / "d"))
    assert changes(root, lambda: (root / "d").rename(root.parent / "d"))
    assert changes(root, lambda: (root.parent / "d").rename(root / "d"))
    assert changes(root, lambda: shutil.rmtree(root / "d"))


def test_reading_and_looking_count_for_nothing(root: Path) -> None:
    assert not changes(root, lambda: (held(root), scan(root)))


def test_own_files_count_by_their_own_path_only(root: Path) -> None:
    deck, book = root / "deck.apkg", root / ".obs2anki/ledger.jsonl"
    own = (deck, book)
    vault(root, {"deck.apkg": "1", ".obs2anki/ledger.jsonl": "1"})
    seen = scan(root, own)
    assert "deck.apkg" not in seen and {str(deck), str(book)} <= seen.keys()
    assert changes(root, book.unlink, own)
    assert not changes(root, book.parent.rmdir, own)


def test_a_link_that_leads_out_is_not_entered(root: Path, tmp_path: Path) -> None:
    outside = vault(tmp_path / "outside", {"x.md": "1"})
    (root / "link").symlink_to(outside)
    (root / "file.md").symlink_to(outside / "x.md")
    (root / "round").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    assert not changes(root, lambda: vault(outside, {"x.md": "22", "y.md": "3"}))


def test_a_link_to_a_hidden_folder_of_the_vault_is_entered(root: Path) -> None:
    vault(root, {".hidden/x.md": "1"})
    (root / "shown").symlink_to(root / ".hidden")
    assert changes(root, lambda: vault(root, {".hidden/x.md": "22"}))


def test_a_vault_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        scan(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("path", "wakes"),
    [
        ("", True),
        ("a.md", True),
        ("b/c.md", True),
        (PLUGIN, True),
        (".obsidian", True),
        (".obsidian/plugins", True),
        (".obsidian/app.json", True),
        (".obs2anki/ledger.jsonl", True),
        (".obsidian/workspace.json", False),
        (".obsidian/plugins/other/data.json", False),
        (".git/index.lock", False),
        ("b/.obs2anki-0123456789abcdef.tmp", False),
    ],
)
def test_only_what_may_change_a_deck_wakes_the_loop(path: str, wakes: bool) -> None:
    assert watch.matters(str(Path("/v", path)), "/v") is wakes


# ---------------------------------------------------------------- clocks that count in seconds

SAVED = 1_800_000_000 * watch.SECOND


@pytest.mark.parametrize(
    ("content", "entry", "later", "marked"),
    [
        (SAVED, SAVED, 0, True),
        (SAVED, SAVED, 1_999_999_999, True),
        (SAVED, SAVED, 2_000_000_000, False),
        (SAVED - 9 * watch.SECOND, SAVED, 1, True),
        (SAVED + 1, SAVED, 1, False),
        (SAVED, SAVED + 1, 1, False),
        (SAVED + 90 * watch.SECOND, SAVED, 0, False),
    ],
)
def test_a_stamp_is_marked_as_long_as_a_save_may_not_show_in_it(
    content: int, entry: int, later: int, marked: bool
) -> None:
    stamp = Stamp((7, content, entry))
    seen = watch.lasting(stamp, SAVED + later)
    assert seen == (Stamp((7, content, watch.FRESH)) if marked else stamp)


def test_a_second_save_that_shows_in_no_stamp_comes_out_right(world: World) -> None:
    loop = world.watch()

    def coarse(root: Path, own: Iterable[Path]) -> dict[str, Stamp]:
        now = SAVED + int(world.now * watch.SECOND)
        return scan(root, own) | {"a.md": watch.lasting(Stamp((5, SAVED, SAVED)), now)}

    loop.look_at = coarse
    steps(loop, world, 1)
    (world.root / "a.md").write_text("#flashcards\n\nQ::B")
    while world.rounds < 2:
        loop.step()
    assert world.now < 4  # as soon as the stamp tells
    assert world.verdicts == [Verdict.WRITTEN, Verdict.WRITTEN]
    assert world.news[-1].changed == ("a.md",)
    steps(loop, world, 90)
    assert world.rounds == 2


# ---------------------------------------------------------------- the loop, in a world of its own


@dataclass(slots=True)
class World:
    """A clock that goes on by waiting only, and what the loop says."""

    root: Path
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    there: bool = True
    usual: float = 30.0
    refuses: str | None = None
    number: int = errno.ENOSPC
    alive: bool = True
    rounds: int = 0

    def rest(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)

    def clock(self) -> float:
        return self.now

    def identity(self, root: Path) -> tuple[int, int] | None:
        return (1, 1) if self.there else None

    # a waker
    def start(self, root: Path) -> None:
        if self.refuses:
            raise OSError(self.number, self.refuses)

    def wait(self, seconds: float) -> bool:
        self.rest(seconds)
        return False

    def works(self) -> bool:
        return self.alive

    def stop(self) -> None:
        pass

    # a voice
    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def done(self, news: News) -> None:
        self.news.append(news)

    def failed(self, error: Exception) -> None:
        self.errors.append(str(error))

    def once(self, deed: Callable[[Round], Done]) -> Done:
        self.rounds += 1
        return build.run(Request(self.root, self.root.parent / "deck.apkg"), deed, patience=0)

    def watch(self, follow: watch.Follow | None = None, *, exports: bool = True) -> watch.Watch:
        loop = watch.Watch(
            self.root,
            self.once,
            self,
            self,
            exports=exports,
            follow=follow,
            clock=self.clock,
            rest=self.rest,
            identity_of=self.identity,
        )
        loop.begin()
        return loop

    @property
    def endings(self) -> list[Ending]:
        return [one.done.synced.ending for one in self.news if one.done.synced is not None]

    @property
    def exports(self) -> list[Outcome]:
        return [one.done.exported for one in self.news if one.done.exported is not None]

    @property
    def verdicts(self) -> list[Verdict]:
        return [outcome.verdict for outcome in self.exports]


def steps(loop: watch.Watch, world: World, seconds: float) -> None:
    """Let the loop run for some time of its world."""
    end = world.now + seconds
    while world.now < end:
        loop.step()


@pytest.fixture
def world(root: Path) -> World:
    return World(vault(root, {"a.md": "#flashcards\n\nQ::A"}))


def test_a_change_is_exported_and_silence_is_not(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 100)
    assert (world.rounds, world.verdicts) == (1, [Verdict.WRITTEN])
    before = held(world.root.parent)
    steps(loop, world, 1000)
    assert held(world.root.parent) == before and world.rounds == 1
    vault(world.root, {"a.md": "#flashcards\n\nQ::A\nR::B"})
    steps(loop, world, 100)
    assert world.rounds == 2
    assert world.news[-1].changed == ("a.md",)
    delivery = world.exports[-1].delivery
    assert delivery is not None and (delivery.added, delivery.changed) == (1, 0)


def test_a_deck_that_is_deleted_comes_back(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 100)
    (world.root.parent / "deck.apkg").unlink()
    steps(loop, world, 100)
    assert (world.root.parent / "deck.apkg").exists()


def test_a_deck_and_a_ledger_in_the_vault_make_no_further_round(world: World) -> None:
    vault(world.root, {"obs2anki.toml": 'output = "x.apkg"\nledger = "known.jsonl"'})
    loop = world.watch()
    loop.once = lambda deed: build.run(Request(world.root), deed)
    steps(loop, world, 1000)
    assert world.verdicts == [Verdict.WRITTEN]
    assert {"x.apkg", "known.jsonl"} <= held(world.root).keys()
    vault(world.root, {"a.md": "#flashcards\n\nQ::B"})
    steps(loop, world, 1000)
    assert world.verdicts == [Verdict.WRITTEN] * 2


def test_a_deck_that_is_deleted_while_its_line_is_said_comes_back_too(world: World) -> None:
    loop, deck = world.watch(), world.root.parent / "deck.apkg"
    with_patience = world.done

    class Slow(World):
        def done(self, news: News) -> None:
            with_patience(news)
            if len(world.news) == 1:
                deck.unlink()

    loop.voice = Slow(world.root)
    steps(loop, world, 100)
    assert deck.exists() and world.verdicts == [Verdict.WRITTEN] * 2


def test_a_ledger_that_ceases_to_be_writable_is_said_once_and_its_return_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, book = world.watch(), world.root / ".obs2anki/ledger.jsonl"
    steps(loop, world, 10)
    before = book.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "is_writable", lambda _: False)
        for answer in "BC":
            vault(world.root, {"a.md": f"#flashcards\n\nQ::{answer}"})
            steps(loop, world, 1)
        steps(loop, world, 100)
    assert [one.forgets for one in world.news] == [False, True, False]
    assert [one.changed for one in world.news[1:]] == [("a.md",)] * 2
    assert book.read_bytes() == before
    book.chmod(0o600)
    steps(loop, world, 100)
    assert book.read_bytes() != before and world.rounds == 4


def test_settings_that_name_another_ledger_make_one_round_only(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    vault(world.root, {"obs2anki.toml": "ledger = '.elsewhere/known.jsonl'"})
    steps(loop, world, 100)
    assert world.rounds == 2 and world.news[-1].changed == ("obs2anki.toml",)
    assert (world.root / ".elsewhere/known.jsonl").exists()


def test_an_error_is_said_once_and_the_watch_recovers(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    vault(world.root, {"obs2anki.toml": "output = 1"})
    steps(loop, world, 300)
    assert len(world.errors) == 1 and "output" in world.errors[0]
    (world.root / "obs2anki.toml").unlink()
    steps(loop, world, 10)
    assert world.verdicts == [Verdict.WRITTEN, Verdict.UNCHANGED]
    assert world.news[-1].first


def test_conflict_marks_in_the_ledger_are_said_and_their_end_is_seen(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    book = world.root / ".obs2anki/ledger.jsonl"
    good = book.read_bytes()
    book.write_bytes(b"<<<<<<< ours\n" + good)
    steps(loop, world, 10)
    assert len(world.errors) == 1 and "git conflict" in world.errors[0]
    book.write_bytes(good)
    steps(loop, world, 3)
    assert world.verdicts[-1] is Verdict.UNCHANGED


def test_a_lock_that_another_run_holds_is_said_and_waited_for(world: World) -> None:
    loop = world.watch()
    with ledger.locked(world.root / ".obs2anki/ledger.jsonl"):
        steps(loop, world, 100)
        assert len(world.errors) == 1 and world.rounds > 3 and not world.exports
    steps(loop, world, 100)
    assert world.verdicts == [Verdict.WRITTEN]


def test_a_full_disk_is_said_and_the_deck_comes_when_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    loop = world.watch()
    with monkeypatch.context() as patch:
        patch.setattr("obs2anki.destinations.package._write", full)
        steps(loop, world, 100)
    assert len(world.errors) == 1 and "no room" in world.errors[0]
    assert not (world.root.parent / "deck.apkg").exists()
    steps(loop, world, 100)
    assert world.verdicts == [Verdict.WRITTEN]


def test_a_bug_does_not_end_the_watch(world: World) -> None:
    def bug(_: Callable[[Round], Done]) -> Done:
        raise ZeroDivisionError("a bug")

    loop, once = world.watch(), world.once
    loop.once = bug
    steps(loop, world, 10)
    loop.once = once
    steps(loop, world, 100)
    assert (world.errors, world.verdicts) == (["a bug"], [Verdict.WRITTEN])


def test_findings_are_told_when_they_are_new(world: World) -> None:
    text = "#flashcards\n\nQ::A\n\n![[gone.png]]::B\n"
    vault(world.root, {"a.md": text})
    loop = world.watch()
    steps(loop, world, 10)
    assert [one.code for one in world.news[-1].findings] == ["O601"]
    vault(world.root, {"a.md": text.replace("Q::A", "Q::A\nR::B")})
    steps(loop, world, 10)
    assert [len(one.findings) for one in world.news] == [1, 0]
    vault(world.root, {"a.md": text + "\nS::![[other.png]]\n"})
    steps(loop, world, 10)
    assert [one.line for one in world.news[-1].findings] == [7]


def test_a_vault_that_vanishes_is_said_once_and_waited_for(world: World) -> None:
    loop = world.watch()
    rests: list[float] = []
    steps(loop, world, 10)
    rest = world.rest

    def back_later(seconds: float) -> None:
        rest(seconds)
        rests.append(seconds)
        if len(rests) == 50:
            world.there = True

    world.there, loop.rest = False, back_later
    before = held(world.root.parent)
    loop.step()
    assert world.there and world.rounds == 1
    assert [one.rpartition(" ")[2] for one in world.said] == ["back.", "back."]
    loop.rest = rest
    vault(world.root, {"a.md": "#flashcards\n\nQ::B"})
    steps(loop, world, 10)
    assert world.rounds == 2 and held(world.root.parent) != before


def test_a_vault_that_vanishes_while_it_is_read_takes_no_note_along(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    before = (world.root.parent / "deck.apkg").read_bytes()
    (world.root / "a.md").unlink()

    def vanishes(deed: Callable[[Round], Done]) -> Done:
        world.there = False
        return build.run(Request(world.root, world.root.parent / "deck.apkg"), deed)

    loop.once = vanishes
    loop.round(scan(world.root))
    assert (world.root.parent / "deck.apkg").read_bytes() == before
    assert not world.errors  # it will be said that the vault is away


def test_a_vault_that_yields_nothing_any_more_keeps_its_deck(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    (world.root / "a.md").unlink()
    before = (world.root.parent / "deck.apkg").read_bytes()
    steps(loop, world, 10)
    assert world.verdicts[-1] is Verdict.EMPTY
    assert (world.root.parent / "deck.apkg").read_bytes() == before


def test_where_the_system_refuses_to_watch_it_is_said_and_polled(world: World) -> None:
    world.refuses = "inotify watch limit reached"
    loop = world.watch()
    assert isinstance(loop.waker, watch.Poll)
    assert len(world.said) == 1 and world.refuses in world.said[0]


def test_where_the_system_ceases_to_watch_it_is_said_and_polled(world: World) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    world.alive = False
    loop.pause(world.now)
    assert isinstance(loop.waker, watch.Poll) and len(world.said) == 1


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "fs.inotify.max_user_watches="),
        (errno.EMFILE, "fs.inotify.max_user_instances="),
        (errno.EACCES, None),
    ],
)
def test_a_higher_limit_is_named_where_one_was_reached(
    number: int, remedy: str | None, world: World
) -> None:
    world.refuses, world.number = "refused", number
    world.watch()
    (said,) = world.said
    assert (remedy is None and "sysctl" not in said) or (remedy is not None and remedy in said)


def test_a_vault_that_goes_with_all_who_listen_to_it_is_no_system_that_ceases_to_tell(
    world: World,
) -> None:
    loop = world.watch()
    steps(loop, world, 10)
    world.alive = world.there = False
    loop.pause(world.now)
    assert loop.waker is world and not world.said


@dataclass(slots=True)
class Limit:
    """How many folders the system tells of."""

    most: int = 1_000
    folders: set[bytes] = field(default_factory=set)


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    from watchdog.observers import inotify_c

    limit, real = Limit(), inotify_c.inotify_add_watch

    def add(descriptor: int, folder: bytes, mask: int) -> int:
        if folder not in limit.folders and len(limit.folders) == limit.most:
            ctypes.set_errno(errno.ENOSPC)
            return -1
        limit.folders.add(folder)
        return int(real(descriptor, folder, mask))

    monkeypatch.setattr(inotify_c, "inotify_add_watch", add)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    return limit


@pytest.mark.skipif(sys.platform != "linux", reason="it knows no such limit")
def test_a_limit_that_is_reached_below_the_vault_s_own_folder_is_no_secret(
    root: Path, limit: Limit
) -> None:
    limit.most, events = 2, watch.Events()
    with pytest.raises(OSError, match="limit"):
        events.start(root)
    assert not events.works()


@pytest.mark.skipif(sys.platform != "linux", reason="it knows no such limit")
def test_a_limit_that_a_new_folder_reaches_is_no_secret_either(root: Path, limit: Limit) -> None:
    events = watch.Events()
    events.start(root)
    try:
        assert events.works()
        limit.most = len(limit.folders) + 1
        (root / "one").mkdir()
        assert events.wait(ENOUGH) and events.works()
        limit.folders.discard(os.fsencode(os.sep))
        limit.most = len(limit.folders)
        (root / "two").mkdir()
        assert events.wait(ENOUGH)
        with pytest.raises(OSError, match="limit"):
            events.works()
    finally:
        events.stop()


def test_a_vault_that_is_not_there_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Obs2ankiError, match="There is no folder"):
        watch.Watch(tmp_path / "typo", World(tmp_path).once, World(tmp_path), watch.Poll()).run()


# ---------------------------------------------------------------- the loop, and an Anki


@dataclass(slots=True)
class Follower:
    """An Anki that does as it is told, and counts."""

    ending: Ending = Ending.WRITTEN
    error: BaseException | None = None
    applied: Applied = syncing.UNTOUCHED
    asked: list[float] = field(default_factory=list)
    """When it was to follow."""
    world: World | None = None

    def __call__(self, round_: Round) -> Synced:
        self.asked.append(self.world.now if self.world is not None else 0)
        if self.error is not None:
            raise self.error
        build.remember(round_)
        notes = tuple(one.note for one in round_.plan.planned if one.note is not None)
        place = Place(VaultPath("a.md"), 3, "Q")
        changes = Changes(added=tuple(Add(place, note) for note in notes))
        diagnostics = round_.plan.diagnostics
        return Synced(round_, self.ending, changes, diagnostics, self.applied)


def lines(world: World) -> list[str]:
    """What is said of the syncs, from their times on left out."""
    told = [
        syncing.line(one.done.synced, one.changed, one.seconds, one.first)
        for one in world.news
        if one.done.synced is not None and not one.repeated
    ]
    return [line.partition(" (")[0] for line in told if line is not None]


def test_each_settled_change_makes_one_sync_and_no_deck(world: World) -> None:
    anki = Follower()
    loop = world.watch(anki, exports=False)
    steps(loop, world, 100)
    vault(world.root, {"a.md": "#flashcards\n\nQ::A\nR::B"})
    steps(loop, world, 1000)
    assert len(anki.asked) == 2 and not world.exports
    assert lines(world) == ["Anki: 1 added", "Anki: 2 added"]
    assert world.news[-1].changed == ("a.md",)
    assert not (world.root.parent / "deck.apkg").exists()


def test_a_sync_and_a_deck_are_made_in_one_round(world: World) -> None:
    anki = Follower()
    steps(world.watch(anki), world, 1000)
    assert (world.rounds, len(anki.asked)) == (1, 1)
    assert (world.verdicts, world.endings) == ([Verdict.WRITTEN], [Ending.WRITTEN])


def test_an_anki_that_does_not_follow_is_said_once_and_tried_less_and_less_often(
    world: World,
) -> None:
    anki = Follower(error=Obs2ankiError("Anki is open."), world=world)
    loop = world.watch(anki)
    steps(loop, world, 600)
    pauses = [b - a for a, b in pairwise(anki.asked)]
    assert world.errors == ["Anki is open."] and len(pauses) > 6
    assert max(pauses) < AGAIN[1] + 1 and pauses[:6] == sorted(pauses[:6])
    # The deck was written once, and nothing was said of it again.
    assert world.verdicts[0] is Verdict.WRITTEN
    assert not any(one.first or one.findings for one in world.news[1:])
    vault(world.root, {"a.md": "#flashcards\n\nQ::A\nR::B"})
    steps(loop, world, 1)
    anki.error = None
    steps(loop, world, 100)
    assert lines(world) == ["Anki: 2 added"] and world.news[-1].changed == ("a.md",)
    anki.error = Obs2ankiError("Anki is open.")
    vault(world.root, {"a.md": "#flashcards\n\nQ::A"})
    steps(loop, world, 100)
    assert len(world.errors) == 2


def test_a_large_change_is_said_once_and_waits_for_the_next_change(world: World) -> None:
    anki = Follower(Ending.DECLINED)
    loop = world.watch(anki, exports=False)
    steps(loop, world, 1000)
    assert len(anki.asked) == 1
    vault(world.root, {"a.md": "#flashcards\n\nQ::A\nR::B"})
    steps(loop, world, 1000)
    assert len(anki.asked) == 2 and world.errors == []
    (line,) = lines(world)
    assert line.startswith("Anki is left as it is: so large a change")
    anki.ending = Ending.WRITTEN
    vault(world.root, {"a.md": "#flashcards\n\nQ::A"})
    steps(loop, world, 1000)
    assert lines(world)[1:] == ["Anki: 1 added"]


def test_what_anki_would_not_take_is_said_once_and_tried_again(world: World) -> None:
    place = Place(VaultPath("a.md"), 3, "Q")
    anki = Follower(applied=Applied(refused=((place, "an editor is open"),)))
    loop = world.watch(anki, exports=False)
    steps(loop, world, 100)
    assert len(anki.asked) > 3 and lines(world) == ["Anki: 1 added"]
    assert len(world.errors) == 1 and "a.md:3: an editor is open" in world.errors[0]
    anki.applied, anki.ending = syncing.UNTOUCHED, Ending.UNCHANGED
    steps(loop, world, 100)
    assert lines(world)[1:] == ["Anki follows the vault already"]
    asked = len(anki.asked)
    steps(loop, world, 1000)
    assert len(anki.asked) == asked


def test_a_server_that_is_down_is_asked_once_a_minute_at_most(world: World) -> None:
    anki = Follower(error=Obs2ankiError("There is no server."), world=world)
    loop = world.watch(anki, exports=False)
    loop.vigil = Vigil(pace=POLITE)
    for number in range(100):
        steps(loop, world, 7)
        vault(world.root, {"a.md": f"#flashcards\n\nQ{number}::A"})
    assert min(b - a for a, b in pairwise(anki.asked)) >= 60
    steps(loop, world, 100)
    asked = len(anki.asked)
    steps(loop, world, 10 * 3600)
    assert asked < len(anki.asked) < asked + 20 and len(world.errors) == 1


def test_a_signal_during_a_sync_ends_the_watch(world: World) -> None:
    with pytest.raises(KeyboardInterrupt):
        steps(world.watch(Follower(error=KeyboardInterrupt())), world, 10)
    assert not world.errors


@pytest.mark.parametrize(
    "options",
    [("--yes",), ("--connect",), ("--prefer", "anki"), ("--sync", "--server", "--connect")],
)
def test_options_that_make_no_sense_together_are_refused(
    options: tuple[str, ...], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["watch", str(root), *options], capsys).code == 2


# ---------------------------------------------------------------- the real thing

ENOUGH = 60.0
"""Seconds after which something will never come."""


@dataclass(slots=True)
class Running:
    """A watch in a process of its own."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "v"

    def questions(self) -> set[object]:
        """The first side of every note in the deck; nothing if there is none."""
        deck = self.folder / "deck.apkg"
        if not deck.exists():
            return set()
        fields = rows(deck, "SELECT flds FROM notes")
        return {str(flds).split("\x1f")[0] for (flds,) in fields}

    def shows(self, *questions: str) -> bool:
        """Whether the deck comes to hold these questions and no others."""
        return until(lambda: self.questions() == set(questions))

    def heard(self, text: str) -> bool:
        """Whether the watch comes to say something."""
        return until(lambda: text in self.said())

    def said(self) -> str:
        """All that it has said so far."""
        return (self.folder / "said.txt").read_text("utf-8")


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + ENOUGH
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


PROGRAM = ("-m", "obs2anki")

NOTHING: Mapping[str, str] = {}


@contextmanager
def running(
    folder: Path, *options: str, program: Sequence[str] = PROGRAM, env: Mapping[str, str] = NOTHING
) -> Iterator[Running]:
    """A watch of the vault `v` in `folder`, which is ended with SIGTERM."""
    options = options if "--sync" in options else ("-o", "deck.apkg", *options)
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, *program, "watch", "v", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Running(process, folder)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(ENOUGH)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Running]:
    vault(tmp_path / "v", {"a.md": "Q;; A", "b/c.md": "R;; B"})
    with running(tmp_path) as one:
        assert until(lambda: len(one.questions()) == 2), one.said()
        assert one.heard("2 added")  # the ledger, which comes after the deck, is there too
        yield one


FULL = Path("/dev/full")
MUTE = f"""
import sys
from obs2anki.__main__ import main
sys.stdout = sys.stderr = open({str(FULL)!r}, "w", buffering=1)
sys.argv[0] = "obs2anki"
main()
"""
"""The program, all of whose words go to a disk that is full."""


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device")
def test_a_watch_whose_words_find_no_room_goes_on(tmp_path: Path) -> None:
    root = vault(tmp_path / "v", {"a.md": "Q;; A"})
    with running(tmp_path, program=("-c", MUTE)) as one:
        assert until(lambda: len(one.questions()) == 1)
        (root / "b.md").write_text("R;; B")
        assert until(lambda: len(one.questions()) == 2)
        (root / "c.md").write_text("S;; C")
        assert until(lambda: len(one.questions()) == 3)
        one.process.terminate()
        assert one.process.wait(ENOUGH) == 128 + signal.SIGTERM


def test_saves_renames_and_moves_of_all_kinds_come_out_right(following: Running) -> None:
    root, out = following.root, following.folder / "out"
    marks = [str(question) for question in following.questions()]
    q, r = (next(m for m in marks if letter in m) for letter in "QR")
    new = q.replace("Q", "New")
    (root / "a.md.tmp").write_text("New;; A")
    (root / "a.md.tmp").replace(root / "a.md")  # as editors save
    assert following.shows(new, r)
    (root / "b").rename(root / "d")
    assert until(lambda: b"d/c.md" in (root / ".obs2anki/ledger.jsonl").read_bytes())
    (root / "d").rename(out)
    assert following.shows(new)
    out.rename(root / "e")
    assert following.shows(new, r)
    (root / "e/deep/er").mkdir(parents=True)
    (root / "e/deep/er/x.md").write_text("Q;; A")
    assert following.shows(new, r, q)
    shutil.rmtree(root / "e")
    assert following.shows(new)


def test_a_checkout_of_a_thousand_documents_comes_out_right(following: Running) -> None:
    mark = str(next(iter(following.questions())))
    for number in range(1000):
        vault(following.root, {f"many/{number % 20}/{number}.md": f"Number {number};; A"})
    shutil.rmtree(following.root / "b")
    assert until(lambda: len(following.questions()) == 1001), following.said()
    assert not any("R" in str(one) for one in following.questions()), mark


def test_settings_count_as_soon_as_they_are_saved(following: Running) -> None:
    vault(following.root, {"a.md": "#cards\n\nS::A\n\nQ;; A"})
    vault(following.root, {PLUGIN: tagged(flashcardTags=["#cards"])})
    assert until(lambda: ["S" in str(one) for one in following.questions()] == [True])
    vault(following.root, {"obs2anki.toml": "[grammar]\nsingle_line = ';;'"})
    assert until(lambda: ["Q" in str(one) for one in following.questions()] == [True])


def test_an_error_is_shown_and_the_watch_goes_on(following: Running) -> None:
    vault(following.root, {"obs2anki.toml": "x = ["})
    assert following.heard("v/obs2anki.toml:1: ")
    (following.root / "obs2anki.toml").unlink()
    assert following.heard("deck.apkg is up to date")
    vault(following.root, {"b/c.md": "R;; ![[gone.png]]"})
    assert following.heard("v/b/c.md:1:")
    assert following.process.poll() is None


def test_what_an_export_does_not_say_of_links_a_watch_does_not_either(following: Running) -> None:
    (following.root / "links.md").write_text("Links;; [[nowhere]] and ![[nothing.png]]\n")
    assert following.shows("Q", "R", "Links")
    assert following.heard("O601")
    assert "O605" not in following.said()


def test_the_vault_may_go_and_come_back(following: Running) -> None:
    away = following.folder / "away"
    following.root.rename(away)
    assert following.heard("The vault v is not there.")
    vault(away, {"a.md": "Z;; A"})
    away.rename(following.root)
    assert following.heard("The vault v is back.")
    assert until(lambda: any("Z" in str(one) for one in following.questions()))
    vault(following.root, {"a.md": "Y;; A"})
    assert until(lambda: any("Y" in str(one) for one in following.questions()))


def test_a_folder_that_leaves_and_is_deleted_where_it_went_takes_no_event_along(
    following: Running,
) -> None:
    root, trash = following.root, following.folder / "trash"
    (root / "b").rename(trash)
    assert following.shows("Q")
    vault(root, {"b/c.md": "S;; B"})
    assert following.shows("Q", "S")
    shutil.rmtree(root / "b")
    assert following.shows("Q")
    shutil.rmtree(trash)
    time.sleep(0.5)  # nothing tells when it was heard of
    vault(root, {"a.md": "T;; A"})
    assert following.shows("T")
    assert "Traceback" not in following.said()


def test_a_folder_that_took_the_name_of_one_that_left_does_not_spoil_the_end(
    following: Running,
) -> None:
    root = following.root
    vault(root, {"d/x.md": "S;; B"})
    assert following.shows("Q", "R", "S")
    (root / "d").rename(following.folder / "trash")
    assert following.shows("Q", "R")
    (root / "b").rename(root / "d")
    assert until(lambda: b"d/c.md" in (root / ".obs2anki/ledger.jsonl").read_bytes())
    following.process.terminate()
    assert following.process.wait(ENOUGH) == 143
    assert following.said().endswith("Stopped.\n")


def test_polling_sees_the_same(tmp_path: Path) -> None:
    vault(tmp_path / "v", {"a.md": "Q;; A"})
    with running(tmp_path, "--poll", "--interval", "0.1") as one:
        assert until(lambda: len(one.questions()) == 1)
        vault(one.root, {"b/c.md": "R;; B"})
        assert until(lambda: len(one.questions()) == 2)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_watch_cleanly(name: str, code: int, following: Running) -> None:
    following.process.send_signal(getattr(signal, name))
    assert following.process.wait(ENOUGH) == code
    assert following.said().endswith("Stopped.\n")
    kept = {".obs2anki/.gitattributes", ".obs2anki/ledger.jsonl", "a.md", "b/c.md"}
    assert set(held(following.folder)) == {"deck.apkg", "said.txt"} | {f"v/{one}" for one in kept}


def test_without_a_change_nothing_is_written(following: Running) -> None:
    def written() -> list[tuple[int, int]]:
        files = (following.folder / "deck.apkg", following.root / ".obs2anki/ledger.jsonl")
        return [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]

    assert until(lambda: (following.root / ".obs2anki/ledger.jsonl").exists())
    assert following.heard("2 added")
    before = written()
    os.utime(following.root / "a.md")
    vault(following.root, {".obsidian/workspace.json": "{}", "picture.png": "1"})
    vault(following.root, {"b/c.md": "S;; B"})
    assert following.heard("b/c.md")
    assert written() != before
    before, said = written(), following.said()
    os.utime(following.root / "a.md")
    time.sleep(1)  # a round that writes nothing says nothing: only time can tell
    assert (written(), following.said()) == (before, said)


def test_a_killed_watch_leaves_deck_and_ledger_whole(tmp_path: Path) -> None:
    found = watch_kills.cases(tmp_path, kills=4, cards=200)
    assert [case for case in found if case.faults] == []


def test_a_collection_follows_until_a_signal(tmp_path: Path) -> None:
    anki = both(tmp_path / "anki")
    vault(tmp_path / "v", {"a.md": "Q;; A", "b/c.md": "R;; B"})
    with running(tmp_path, "--sync", "--collection", str(anki.collection)) as one:
        assert one.heard("Anki: 2 added"), one.said()
        with anki.anki() as col:  # it is the user's turn
            asked, before = fronts(col), standing(col)
            vault(tmp_path / "v", {"a.md": "Q;; A\nS;; C"})
            assert one.heard("is open in Anki"), one.said()
            assert standing(col) == before
        assert one.heard("Anki: 1 added (a.md; "), one.said()
        unchanged = held(anki.profile)
        vault(tmp_path / "v", {"d.md": "No flashcard."})
        time.sleep(1)  # a sync that writes nothing says nothing: only time can tell
        assert held(anki.profile) == unchanged
        one.process.terminate()
        assert one.process.wait(ENOUGH) == 143
        assert one.said().count("is open in Anki") == 1 and one.said().endswith("Stopped.\n")
    with anki.anki() as col:
        assert len(fronts(col)) == 3 and set(asked) < set(fronts(col))
    assert len(list((anki.profile / "backups").iterdir())) == 1  # not one for each change
    assert not list(anki.profile.glob(".obs2anki-*")) and not list(tmp_path.glob("*.apkg"))
    assert anki.complaints() == ()


def test_an_anki_that_runs_follows_and_is_waited_for(tmp_path: Path) -> None:
    anki = both(tmp_path / "anki")
    vault(tmp_path / "v", {"a.md": "Q;; A"})
    with anki.anki() as col, serving(col, key="right") as server:
        options = ("--sync", "--connect", server.url, "-o", "deck.apkg")
        with running(tmp_path, *options) as one:
            assert one.heard("key"), one.said()
            assert len(one.questions()) == 1
            server.key = ""
            assert one.heard("Anki: 1 added"), one.said()
            vault(tmp_path / "v", {"a.md": "Q;; A better answer"})
            assert one.heard("Anki: 1 updated (a.md; "), one.said()
            assert one.heard("deck.apkg: 0 added, 1 updated, 0 left (a.md; "), one.said()
        assert len(fronts(col)) == 1


IN_A_HURRY = (
    "-c",
    "from obs2anki import __main__, watch; watch.POLITE = watch.Pace(); __main__.main()",
)
"""A server of one's own may be asked more than once a minute."""


def test_a_server_follows_and_may_be_away_for_a_while(tmp_path: Path) -> None:
    vault(tmp_path / "v", {"a.md": "Q;; A", "obs2anki.toml": '[sync]\nuser = "anna"\n'})
    own = {
        credentials.VARIABLE: sync_server.PASSWORD,
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }
    with sync_server.running(tmp_path / "server") as server:
        options = ("--sync", "--server", server.url, "--yes")
        with running(tmp_path, *options, program=IN_A_HURRY, env=own) as one:
            assert one.heard("Anki: 1 added"), one.said()
            with sync_server.device(tmp_path / "phone", server) as phone:
                phone.sync()
                anki_collection.answer_good(phone.col, guid(phone.col, "Q"))
                phone.sync()
                before = standing(phone.col)
            vault(tmp_path / "v", {"a.md": "Q;; Another answer\nR;; B"})
            assert one.heard("Anki: 1 added, 1 updated (a.md; "), one.said()
            server.kill()
            vault(tmp_path / "v", {"b.md": "S;; C"})
            assert one.heard("cannot be reached"), one.said()
            server.start()
            assert one.heard("Anki: 1 added (b.md; "), one.said()
            one.process.terminate()
            assert one.process.wait(ENOUGH) == 143
            assert one.said().count("cannot be reached") == 1
        with sync_server.device(tmp_path / "phone", server) as phone:
            phone.sync()
            assert fronts(phone.col) == ["Q", "R", "S"]
            assert note(phone.col, "Q")["Back"] == "Another answer"
            after = standing(phone.col)
            assert after.reviews == before.reviews
            assert {number: after.cards[number] for number in before.cards} == before.cards
            assert anki_collection.complaints(phone.col) == ()
