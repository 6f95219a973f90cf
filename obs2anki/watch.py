"""The loop: a deck that follows its vault, or Anki itself.

    a document is saved -> silence for 0.1 s -> one round
    14:02:11 deck.apkg: 1 added, 2 updated, 0 left (Cells.md; 0.24 s)
    14:02:12 Anki: 1 added, 2 updated (Cells.md; 0.31 s)

What the system tells of a vault only wakes the loop: events get lost, come twice, or come from
the loop itself. Whether anything has changed says a scan, which compares what the disk says of
each file that counts with what it said before the last round. What is decided from that is in
`Vigil`, which knows no clock and no disk.
"""

from __future__ import annotations

import errno
import gc
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, NewType, NoReturn, Protocol

from obs2anki import build, vault
from obs2anki.clock import reading
from obs2anki.data import Diagnostic
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.stopping import undisturbed

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

    from obs2anki.syncing import Synced

QUIET = 0.1
"""Seconds without a change after which somebody is done saving, for now."""

MOST = 1.0
"""Seconds after which a round begins although changes go on."""

AGAIN = (1.0, 60.0)
"""Seconds from a round that failed to the next try: at first, and at most. A disk that is full
or a lock that is held gets better without any change in the vault."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon a round follows a change, and another round. All in seconds."""

    quiet: float = QUIET
    most: float = MOST
    apart: float = 0.0
    """From the end of a round to the next one, at least."""
    again: tuple[float, float] = AGAIN


POLITE = Pace(quiet=10.0, most=60.0, apart=60.0, again=(60.0, 3600.0))
"""For rounds that ask a server, which has others to serve."""

LOOK = 30.0
"""Seconds between two looks without an event: some get lost, and the deck's folder is not
watched."""

BREATH = 5.0
"""Seconds between two questions whether the vault is still there."""

POLL = 2.0
"""Seconds between two looks where there are no events."""

SHARE = 20
"""A look takes at most one part in so many of the time: large vaults are looked at less often."""

PATIENCE = 2.0
"""Seconds to wait for another run at the same ledger before saying so."""

Stamp = NewType("Stamp", tuple[int, int, int])
"""What the disk says of a file: size, last change of its content, last change of its entry."""

FRESH = -1
"""In a stamp, in place of the last change of the entry: another change may not show in it yet."""

Stamps = Mapping[str, Stamp]
"""The files that count, by path: below the vault, or absolute if they lie elsewhere."""


# ---------------------------------------------------------------- when a round is due


@dataclass(frozen=True, slots=True)
class Moving:
    """Changes that may not be over yet."""

    since: float
    last: float
    """When the latest of them was seen."""
    seen: Stamps


@dataclass(frozen=True, slots=True)
class Failure:
    """A round that the world refused."""

    again: float
    """When to try once more."""
    pause: float
    """Seconds from the failure to that."""


@dataclass(frozen=True, slots=True)
class Vigil:
    """What is known between two looks. Times are seconds of any clock that never goes back."""

    exported: Stamps | None = None
    """The files as they were before the last round; None = there was none."""
    moving: Moving | None = None
    failure: Failure | None = None
    day: date | None = None
    """The day of the last round: due dates are kept within reach of it."""
    pace: Pace = field(default_factory=Pace)
    free: float | None = None
    """No round begins earlier; None = none ended yet."""

    @property
    def over(self) -> float | None:
        """When a round begins if no further change is seen; None = there was none."""
        if self.moving is None:
            return None
        settled = min(self.moving.last + self.pace.quiet, self.moving.since + self.pace.most)
        return settled if self.free is None else max(settled, self.free)

    def looked(self, now: float, seen: Stamps) -> Vigil:
        """After a look at the files."""
        if seen == self.exported:
            return replace(self, moving=None)
        if self.moving is None:
            return replace(self, moving=Moving(now, now, seen))
        if seen == self.moving.seen:
            return self
        return replace(self, moving=Moving(self.moving.since, now, seen))

    def is_due(self, now: float, day: date) -> bool:
        """Whether a round begins now: at the start, after changes, to try again, on a new day."""
        if self.exported is None:
            return True
        if self.free is not None and now < self.free:
            return False
        if (over := self.over) is not None:
            return now >= over
        if self.failure is not None:
            return now >= self.failure.again
        return self.day is not None and day != self.day

    def next_look(self, now: float, usual: float) -> float:
        """When to look next, with nothing to wake the loop; `usual` is seconds between looks."""
        if (over := self.over) is not None:
            return over
        if self.failure is not None:
            return min(self.failure.again, now + usual)
        return now + usual

    def succeeded(self, before: Stamps, day: date) -> Vigil:
        """After a round that began when the files were as `before`."""
        return replace(self, exported=before, moving=None, failure=None, day=day)

    def failed(self, now: float, before: Stamps, day: date) -> Vigil:
        """After a round that was refused; each further one waits twice as long."""
        first, most = self.pace.again
        pause = first if self.failure is None else min(self.failure.pause * 2, most)
        failure = Failure(now + pause, pause)
        return replace(self, exported=before, moving=None, failure=failure, day=day)

    def ended(self, now: float) -> Vigil:
        """After any round: the next one keeps its distance."""
        return replace(self, free=now + self.pace.apart)


# ---------------------------------------------------------------- what the disk says

SETTINGS = (
    vault.OURS,
    vault.APP,
    *(f"{plugin}{file}" for plugin in (vault.PLUGIN, vault.FORK) for file in ("", "/data.json")),
)
"""What counts among the hidden files; the mere folder of the plugin means something too."""


def scan(root: Path, own: Iterable[Path] = ()) -> dict[str, Stamp]:
    """What the disk says of every file that decides on a deck: the visible ones, the settings.

    `own` are the files that a round writes, deck and ledger, each with its absolute path.
    Raises OSError where the vault itself cannot be listed.
    """
    outputs, now = {str(file) for file in own}, time.time_ns()
    real, top = Path(os.path.realpath(root)), str(root)
    found: dict[str, Stamp] = {}
    with os.scandir(root):  # else a vault that is not there would be an empty one
        pass
    folders, followed = [""], set[str]()
    while folders:
        folder = folders.pop()
        for entry in _entries(f"{top}/{folder}"):
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif not entry.is_symlink():
                    found[path] = lasting(_stamp(entry.stat()), now)
                elif (inner := _followed(entry.path, real, followed, found, path)) is not None:
                    folders.append(inner)
            except OSError:  # it has just gone
                continue
    for path in outputs:
        found.pop(_relative(path, str(real)), None)
    for path in (*(f for f in SETTINGS if f != vault.OURS), *outputs):
        if (stamp := stamp_of(real / path)) is not None:
            found[path] = stamp if path in outputs else lasting(stamp, now)
    return found


def lasting(stamp: Stamp, now: int) -> Stamp:
    """A stamp, marked if the next change of the file may leave it as it is; `now` in nanoseconds.

    FAT counts time by 2 seconds, others by one: of two saves within that only the first would be
    seen. A marked stamp becomes another one by itself, and what is read then is all there is.
    """
    size, content, entry = stamp
    if content % SECOND or entry % SECOND or abs(now - max(content, entry)) >= vault.SETTLED:
        return stamp
    return Stamp((size, content, FRESH))


SECOND = 1_000_000_000
"""Nanoseconds. A file system that counts in fractions is seldom met at a whole one."""


def _relative(path: str, root: str) -> str:
    """An absolute path as seen from the vault; unchanged if it lies elsewhere."""
    inside = path.startswith(root + os.sep)
    return path[len(root) + 1 :].replace(os.sep, "/") if inside else path


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What can be seen in a folder; nothing if it cannot be read, which a round will say."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError:
        return


def _followed(
    link: str, root: Path, followed: set[str], found: dict[str, Stamp], path: str
) -> str | None:
    """Follow a link if it stays in the vault; a folder that is seen only so is to be entered."""
    target = os.path.realpath(link)
    found[path] = _stamp(os.lstat(link))
    if not Path(target).is_relative_to(root):
        return None
    if not stat.S_ISDIR(Path(target).stat().st_mode):
        found[path] = lasting(_stamp(Path(target).stat()), time.time_ns())
        return None
    hidden = any(part.startswith(".") for part in Path(target).relative_to(root).parts)
    if not hidden or target in followed:
        return None
    followed.add(target)
    return path


def stamp_of(file: Path) -> Stamp | None:
    """What the disk says of one file; None if it is not there. Of a folder: only that it is."""
    try:
        status = file.stat()
    except OSError:
        return None
    return Stamp((0, 0, 0)) if stat.S_ISDIR(status.st_mode) else _stamp(status)


def _stamp(status: os.stat_result) -> Stamp:
    # No inode: on network drives a file may have another one after a while.
    return Stamp((status.st_size, status.st_mtime_ns, status.st_ctime_ns))


def identity_of(root: Path) -> tuple[int, int] | None:
    """Which folder lies at a path now; None if there is none that can be looked into.

    A drive that was unmounted leaves another, empty folder where it was.
    """
    try:
        status = root.stat()
        with os.scandir(root):
            return status.st_dev, status.st_ino
    except OSError:
        return None


# ---------------------------------------------------------------- what wakes the loop


class Waker(Protocol):
    """What tells that it may be worth to look again."""

    usual: float
    """Seconds between two looks if it stays silent."""

    def start(self, root: Path) -> None:
        """Begin to listen. Raises OSError where the system refuses."""

    def wait(self, seconds: float) -> bool:
        """Wait for a change, at most so long; whether one came."""

    def works(self) -> bool:
        """Whether it still listens. Raises OSError where the system refuses to tell of more."""

    def stop(self) -> None:
        """Listen no more."""


@dataclass(slots=True)
class Poll:
    """Nothing but time: for network drives, which tell nothing of what others write there."""

    usual: float = POLL

    def start(self, root: Path) -> None:
        """There is nothing to begin."""

    def wait(self, seconds: float) -> bool:
        """Wait so long; nothing ever comes."""
        time.sleep(seconds)
        return False

    def works(self) -> bool:
        """Time does not end."""
        return True

    def stop(self) -> None:
        """There is nothing to end."""


SLICE = 0.5 if sys.platform == "win32" else 3600.0
"""Seconds. On Windows Ctrl-C is heard only between two waits."""


@dataclass(slots=True)
class Events:
    """The events of the system, by way of watchdog."""

    usual: float = LOOK
    _root: str = ""
    _woken: threading.Event = field(default_factory=threading.Event)
    _observer: BaseObserver | None = None
    _grown: bool = False
    """Whether there are folders that may be too many."""
    _broken: bool = False
    """Whether a thread that listens has died; those that are started anew may depend on it."""

    def start(self, root: Path) -> None:
        """Listen to what happens below `root`.

        Raises OSError where the system refuses, as Linux does beyond `max_user_watches`.
        """
        from watchdog import events
        from watchdog.observers import Observer

        _quieten(self._died)
        self._root = os.path.realpath(root)
        observer = Observer()
        observer.daemon = True
        kinds: list[type[FileSystemEvent]] = [
            events.FileCreatedEvent,
            events.FileModifiedEvent,
            events.FileMovedEvent,
            events.FileDeletedEvent,
            events.DirCreatedEvent,
            events.DirMovedEvent,
            events.DirDeletedEvent,
        ]
        # A right that was given or taken away; before watchdog 7 a file was "modified" so.
        kinds += [kind for name in ("FileAttribEvent",) if (kind := getattr(events, name, None))]
        handler = events.FileSystemEventHandler()
        handler.on_any_event = self._heard  # type: ignore[method-assign]  # it has no state
        try:
            observer.schedule(handler, self._root, recursive=True, event_filter=kinds)
            observer.start()
            _assert_room(observer)
        except BaseException:
            _end(observer)
            raise
        self._observer = observer

    def _died(self) -> None:
        self._broken = True
        self._woken.set()

    def _heard(self, event: FileSystemEvent) -> None:
        self._grown |= event.is_directory
        paths = (os.fsdecode(path) for path in (event.src_path, event.dest_path) if path)
        if any(matters(path, self._root) for path in paths):
            self._woken.set()

    def wait(self, seconds: float) -> bool:
        """Wait for an event that matters, at most so long; whether one came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._woken.wait(min(left, SLICE)):
            pass
        woken = self._woken.is_set()
        self._woken.clear()
        return woken

    def works(self) -> bool:
        """Whether the threads that listen are alive. Raises OSError where a folder is too many."""
        observer = self._observer
        if observer is None or self._broken or not observer.is_alive():
            return False
        if self._grown:
            self._grown = False
            _assert_room(observer)
        return all(emitter.is_alive() for emitter in observer.emitters)

    def stop(self) -> None:
        """Listen no more."""
        if self._observer is not None:
            _end(self._observer)
            self._observer = None


LIMITS = {
    errno.ENOSPC: "fs.inotify.max_user_watches=524288",
    errno.EMFILE: "fs.inotify.max_user_instances=1024",
}
"""What helps where Linux refuses to tell of changes, by the error."""

ENDING = 2.0
"""Seconds for threads to end; they hold nothing that would be lost."""


def _end(observer: BaseObserver) -> None:
    if observer.is_alive():
        with suppress(Exception):  # watchdog loses count of folders that come and go
            observer.stop()
        observer.join(ENDING)


def _assert_room(observer: BaseObserver) -> None:
    """Raise OSError if no folder more may be watched: then some of the vault's are not.

    Linux limits how many. watchdog 7 says so of the first folder only, and passes over those
    below it.
    """
    if sys.platform == "linux":
        from watchdog.events import FileSystemEventHandler

        observer.unschedule(observer.schedule(FileSystemEventHandler(), os.sep))


def _quieten(died: Callable[[], None]) -> None:
    """Keep watchdog's own words off the terminal: a look from time to time makes good for them.

    `died` is told if one of its threads ends with an error.
    """
    import logging
    import warnings

    def ended(what: threading.ExceptHookArgs) -> None:
        if type(what.thread).__module__.startswith("watchdog."):
            died()
        else:
            threading.__excepthook__(what)

    threading.excepthook = ended
    warnings.filterwarnings("ignore", module=r"watchdog\.")
    logging.getLogger("watchdog").addHandler(logging.NullHandler())
    logging.getLogger("watchdog").propagate = False


def matters(path: str, root: str) -> bool:
    """Whether an event at `path` may change a deck: it is visible, or holds settings."""
    relative = path[len(root) :].replace(os.sep, "/").strip("/") if path.startswith(root) else ""
    if not any(part.startswith(".") for part in relative.split("/")):
        return True
    return relative.startswith(".obs2anki") or any(
        one == relative or one.startswith(f"{relative}/") for one in SETTINGS
    )


# ---------------------------------------------------------------- the loop


@dataclass(frozen=True, slots=True)
class Done:
    """What a round did."""

    round: build.Round
    exported: build.Outcome | None = None
    """None where no deck is wanted."""
    synced: Synced | None = None
    """None where Anki is not to follow, or could not."""
    error: Exception | None = None
    """Why Anki does not follow; a deck was exported all the same."""

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """What was found in the vault and, if it was looked at, in Anki."""
        return self.round.plan.diagnostics if self.synced is None else self.synced.diagnostics


@dataclass(frozen=True, slots=True)
class News:
    """A round of the loop, and what there is to say of it."""

    done: Done
    changed: tuple[str, ...]
    """The files that came, changed or left since the last round that was not refused."""
    seconds: float
    findings: tuple[Diagnostic, ...]
    """Those that the round before did not have."""
    first: bool
    """Whether it is the first one since the start, or since something was wrong."""
    repeated: bool = False
    """Whether Anki did not follow, and the round before has said why."""
    forgets: bool = False
    """Whether it remembers nothing, for the ledger cannot be written, and the one before did."""


class Voice(Protocol):
    """Says to people what the loop does."""

    def say(self, sentence: str) -> None:
        """Something about the watch itself."""

    def done(self, news: News) -> None:
        """A round is done."""

    def failed(self, error: Exception) -> None:
        """A round was refused; the loop goes on."""


Once = Callable[[Callable[[build.Round], Done]], Done]
"""Makes one round and does a deed with it."""

Follow = Callable[[build.Round], "Synced"]
"""Has Anki follow a round; raises Obs2ankiError where it cannot."""


@dataclass(slots=True)
class Watch:
    """A vault that is watched. From `clock` on it is the outside world, for tests to replace."""

    root: Path
    once: Once
    voice: Voice
    waker: Waker
    exports: bool = True
    """Whether a deck is wanted."""
    follow: Follow | None = None
    """None = Anki itself is left alone."""
    clock: Callable[[], float] = time.monotonic
    rest: Callable[[float], None] = time.sleep
    look_at: Callable[[Path, Iterable[Path]], dict[str, Stamp]] = scan
    identity_of: Callable[[Path], tuple[int, int] | None] = identity_of

    vigil: Vigil = field(default_factory=Vigil)
    own: tuple[Path, ...] = ()
    """What the rounds write, by absolute paths."""
    place: tuple[int, int] | None = None
    """Which folder is the vault."""
    changed: frozenset[str] = frozenset()
    known: frozenset[tuple[str, str, str]] = frozenset()
    """The findings of the last round, without their lines, which move with every edit."""
    wrong: str | None = ""
    """What the last round was refused for; empty = there was none."""
    asks: bool = False
    """Whether the last round left Anki as it is, for the user to decide."""
    remembers: bool = True
    """Whether the last round had a ledger that can be written."""
    day_of: Callable[[], date] = field(default_factory=lambda: _day_in(None))
    woken: bool = False
    took: float = 0.0
    """Seconds of the last look."""
    fresh: bool = False
    """Whether a stamp of the last look is marked."""

    @property
    def usual(self) -> float:
        """Seconds between two looks if nothing wakes the loop."""
        usual = self.waker.usual
        return min(usual, vault.SETTLED / SECOND) if self.fresh else usual

    def run(self) -> NoReturn:
        """Follow the vault until a signal ends the process.

        Raises Obs2ankiError where there is no vault to begin with.
        """
        self.begin()
        self.voice.say(f"Watching {self.root}. Ctrl-C ends it.")
        try:
            while True:
                self.step()
        finally:
            self.waker.stop()

    def begin(self) -> None:
        """Listen before the first look, so that nothing is missed in between."""
        self.place = self.identity_of(self.root)
        if self.place is None:
            vault.find_settings(self.root)  # says why
        self.own = (Path(os.path.realpath(self.root), ".obs2anki", "ledger.jsonl"),)
        self.listen()

    def listen(self) -> None:
        """Listen, or poll where the system does not tell what happens."""
        try:
            self.waker.start(self.root)
        except OSError as error:
            self.poll(error)

    def listens(self) -> bool:
        """Whether there are still events, where there were any; else do without."""
        try:
            if self.waker.works():
                return True
            self.poll(OSError("it has ceased to"))
        except OSError as error:
            self.poll(error)
        return False

    def poll(self, why: OSError) -> None:
        """Do without events."""
        self.waker.stop()
        self.waker = Poll()
        limit = LIMITS.get(why.errno or 0)
        remedy = f" A higher limit helps: sudo sysctl {limit}" if limit is not None else ""
        self.voice.say(
            f"The system does not tell of changes in the vault ({why.strerror or why}), so it is "
            f"looked through every {POLL:g} seconds.{remedy}"
        )

    def step(self) -> None:
        """Look, then make a round if one is due, or wait."""
        seen = self.look()
        if seen is None:
            self.wait_for_vault()
            return
        self.fresh = any(stamp[2] == FRESH for stamp in seen.values())
        now = self.clock()
        self.vigil = self.vigil.looked(now, seen)
        if self.vigil.is_due(now, self.day_of()):
            self.round(seen)
        else:
            self.pause(now)

    def look(self) -> Stamps | None:
        """The files as they are; None if the vault is not there, or another folder is."""
        start = self.clock()
        try:
            if self.identity_of(self.root) != self.place:
                return None
            return self.look_at(self.root, self.own)
        except OSError:
            return None
        finally:
            self.took = self.clock() - start

    def pause(self, now: float) -> None:
        """Wait until it is worth to look again."""
        until = self.vigil.next_look(now, max(self.usual, SHARE * self.took))
        if self.vigil.moving is not None:
            self.rest(max(0.0, until - now))
            return
        if self.woken:  # by what changes nothing, and there may be more of that
            self.rest(max(QUIET / 2, self.took))
        if self.identity_of(self.root) != self.place:  # who listens to a folder ends with it
            return
        if not self.listens():
            return  # to look at once: there may have been changes
        self.woken = False
        while not self.woken and (left := until - self.clock()) > 0:
            self.woken = self.waker.wait(min(left, BREATH))
            if self.identity_of(self.root) != self.place:
                return

    def wait_for_vault(self) -> None:
        """Wait for a vault that has vanished, as a drive does; then listen to the new folder."""
        self.waker.stop()
        if self.identity_of(self.root) is None:
            self.voice.say(f"The vault {self.root} is not there. Waiting for it to come back.")
            while self.identity_of(self.root) is None:
                self.rest(1.0)
            self.voice.say(f"The vault {self.root} is back.")
        self.place = self.identity_of(self.root)
        self.listen()

    def round(self, seen: Stamps) -> None:
        """Make one round; whatever is wrong is said, and the loop goes on."""
        start, now = self.clock(), reading(os.environ)
        if (before := self.vigil.exported) is not None:
            self.changed |= {p for p, _ in before.items() ^ seen.items()} - set(map(str, self.own))
        try:
            done = self.once(self.deed)
        except Exception as error:
            if self.identity_of(self.root) == self.place:  # else the next look says what is wrong
                self.refused(error)
            self.vigil = self.vigil.failed(self.clock(), seen, self.day_of())
        else:
            was, self.own = self.own, _written_by(done)
            self.day_of = _day_in(done.round.zone)
            # At once: to say it may take as long as somebody holds the terminal still.
            after = _with_own(seen, was, self.own, self.root)
            self.tell(done, self.clock() - start)
            day = now.astimezone(done.round.zone).date()
            if done.error is None:
                self.vigil = self.vigil.succeeded(after, day)
            else:
                self.vigil = self.vigil.failed(self.clock(), after, day)
        self.vigil = self.vigil.ended(self.clock())
        # Looking for cycles is off while a round makes its millions of values (see `cli.main`).
        with undisturbed():  # what a signal raises within a finaliser would be lost
            gc.collect()

    def deed(self, round_: build.Round) -> Done:
        """Export, and let nothing come between deck and ledger; then have Anki follow."""
        if self.identity_of(self.root) != self.place:
            raise Obs2ankiError("The vault went away while it was read.")
        exported = None
        if self.exports:
            with undisturbed():
                exported = build.export(round_)
        if self.follow is None:
            return Done(round_, exported)
        try:
            synced = self.follow(round_)  # it can be stopped anywhere: the next one finishes it
        except Exception as error:
            return Done(round_, exported, error=error)
        return Done(round_, exported, synced, synced.refusal)

    def refused(self, error: Exception) -> None:
        """Say what is wrong, once."""
        if self.wrong != str(error):
            self.voice.failed(error)
        self.wrong = str(error)

    def tell(self, done: Done, seconds: float) -> None:
        """Say what a round has done, what it has found that is new, and what is wrong."""
        known_wrong = done.error is not None and str(done.error) == self.wrong
        asks = done.synced is not None and done.synced.asks
        self.voice.done(
            News(
                done,
                tuple(sorted(self.changed, key=vault.order)),
                seconds,
                tuple(d for d in done.findings if _told(d) not in self.known),
                first=self.wrong is not None and not known_wrong,
                repeated=known_wrong or (asks and self.asks),
                forgets=self.remembers and done.round.ledger is None,
            )
        )
        if done.synced is not None or self.follow is None:
            self.known = frozenset(map(_told, done.findings))
        else:  # what was found in Anki need not be said again
            self.known |= frozenset(map(_told, done.findings))
        self.asks, self.remembers = asks, done.round.ledger is not None
        if done.error is None:
            self.changed, self.wrong = frozenset(), None
        else:
            self.refused(done.error)


def _day_in(zone: tzinfo | None) -> Callable[[], date]:
    """Says which day it is in a time zone; None = the machine's."""
    return lambda: reading(os.environ).astimezone(zone).date()


def _told(found: Diagnostic) -> tuple[str, str, str]:
    return found.path, found.code, found.message


def _written_by(done: Done) -> tuple[Path, ...]:
    """The files that a round writes, Anki's left out.

    The ledger is one of them even where it cannot be written: some day it can be again.
    """
    deck = (done.round.deck,) if done.exported is not None else ()
    files = (*deck, done.round.root / done.round.settings.ledger)
    return tuple(Path(os.path.realpath(file)) for file in files)


def _with_own(before: Stamps, was: Iterable[Path], own: Iterable[Path], root: Path) -> Stamps:
    """The files as they were before a round, and its own as it has left them.

    `was` are those that were its own until then: settings may name others.
    """
    real = os.path.realpath(root)
    written = {str(file): stamp_of(file) for file in own}
    visible = {_relative(path, real) for path in written}
    renewed = visible | written.keys() | set(map(str, was))
    kept = {path: stamp for path, stamp in before.items() if path not in renewed}
    return kept | {path: stamp for path, stamp in written.items() if stamp is not None}
