"""A sync server, AnkiWeb or one's own: Anki follows the vault without an Anki that runs here.

    ~/.local/share/obs2anki/sync/ankiweb-5f1c…/
        collection.anki2        the mirror: what the server held at the last sync, and nothing else
        collection.media/
        backups/                Anki's own backups of the mirror: one before each write
        before/                 the mirror as it was, while a run has not come to its end

A run syncs the mirror, has what is to be done written into it, and syncs again. Until the server
has it all, `before` stays: a run that fails or is killed leaves it, and the next one goes back to
it before it asks the server. So nothing waits in the mirror that the server does not know, and
no review that was synced in the meantime meets a card as it was long ago.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from obs2anki import credentials
from obs2anki.credentials import Account, Password, Sources
from obs2anki.data import Plan
from obs2anki.deeds import Anki, Applied, Changes, Holding
from obs2anki.destinations.collection import NAME, Collection
from obs2anki.destinations.collection_notes import has_engine, refuse_with_the_disk
from obs2anki.diagnostics import Obs2ankiError

if TYPE_CHECKING:
    from anki.collection import Collection as Engine
    from anki.sync import SyncAuth, SyncOutput

Result = TypeVar("Result")

INSTALL = "pip install 'obs2anki[server]'"

PATIENCE = 30.0
"""Seconds for which another run with the same account is waited for."""

_LOOK = 0.05
"""Seconds between two looks at a sync of media."""


def data_folder() -> Path:
    """Where the platform keeps what belongs to one user. Raises Obs2ankiError if none is known."""
    try:
        from platformdirs import user_data_path
    except ImportError:
        raise _not_installed() from None
    return user_data_path("obs2anki", appauthor=False) / "sync"


@dataclass(frozen=True, slots=True)
class Server:
    """A sync server, as one of its users."""

    account: Account
    sources: Sources = field(default_factory=Sources)
    """Where the password may come from."""
    consent: Callable[[str], bool] = lambda _: False
    """Answers the one question: whether to upload to a server that holds nothing yet."""
    tell: Callable[[str], None] = lambda _: None
    """Told what takes its time."""
    root: Path | None = None
    """Where mirrors are kept; None = the platform's place."""
    each_time: bool = True
    """As for a collection: whether the mirror is backed up before each write."""

    @contextmanager
    def session(self) -> Iterator[Anki]:
        """An Anki that is what the server holds now; what is applied to it is synced at once.

        Raises Obs2ankiError, with a remedy, where the server cannot be reached, refuses the
        user, or would have to be synced one way.
        """
        if not has_engine():
            raise _not_installed()
        folder = (self.root or data_folder()) / self.account.folder
        with _alone(folder):
            session = _Session(self, folder)
            session.begin()
            try:
                yield session
            finally:
                session.close()


# ---------------------------------------------------------------- the private folder


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise Obs2ankiError(
            f"obs2anki's own copy of the collection cannot be written ({place}: "
            f"{error.strerror or error}). Give yourself the right to, or free some space; then "
            "run this again, and it begins where it was."
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make the folder, for its owner alone, and hold it for a whole run."""
    import filelock

    with _disk(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in (folder, folder / "backups", folder / "collection.media"):
            place.mkdir(mode=0o700, exist_ok=True)
            place.chmod(0o700)
    lock = filelock.FileLock(folder / "lock", timeout=PATIENCE, mode=0o600)
    try:
        with lock:
            yield
    except filelock.Timeout:
        raise Obs2ankiError(
            f"Another obs2anki has been syncing with this account for {PATIENCE:g} seconds. "
            "Wait for it to end, or end it."
        ) from None


def _copied(source: Path, target: Path) -> None:
    """Put a copy of a file into a place, whole or not at all."""
    aside = target.with_name(f"{target.name}.tmp")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    shutil.copyfile(source, aside)
    with aside.open("r+b") as file:
        os.fsync(file.fileno())
    aside.replace(target)


# ---------------------------------------------------------------- a session


@dataclass(slots=True)
class _Session:
    """The mirror of a server, between a sync and the next."""

    server: Server
    folder: Path
    _open: ExitStack = field(default_factory=ExitStack)
    _reader: Anki | None = None
    _auth: SyncAuth | None = None
    _unmet: bool = False
    """Whether the server holds nothing yet, so that there is nothing to mirror."""

    @property
    def _mirror(self) -> Path:
        return self.folder / NAME

    @property
    def _before(self) -> Path:
        return self.folder / "before" / NAME

    @property
    def _media_too(self) -> Path:
        """Is there where the run that did not come to its end had media to sync."""
        return self.folder / "before" / "media"

    def begin(self) -> None:
        """Bring the mirror into the state of the server, and finish what was left unfinished."""
        with _disk(self.folder):
            unfinished = self._before.exists()
            if unfinished:
                self._go_back()
            with self._engine(self._mirror) as engine:
                self._fetch(engine)
                if unfinished and self._media_too.exists():
                    self._sync_media(engine)
            if unfinished:
                self._come_to_an_end()

    def read(self, namespace: str) -> Holding:
        """What the server held a moment ago. Raises Obs2ankiError where it cannot be read."""
        self.close()
        self._reader = self._open.enter_context(Collection(self._mirror).session())
        return self._reader.read(namespace)

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        """Write all of `changes` into the mirror, and sync.

        Raises Obs2ankiError; then the server holds all of it or nothing, and the next run starts
        from what it holds.
        """
        if self._unmet and not self.server.consent(self._question()):
            raise Obs2ankiError(
                f"{self.server.account.place} holds no cards yet, and nothing was uploaded. If "
                "you have an Anki, sync it first, and run this again. If not: --yes"
            )
        self.close()
        with _disk(self.folder):
            self._begin_to_write(media_too=bool(plan.media))
            with Collection(self._mirror, self.server.each_time).session() as mirror:
                mirror.read(plan.namespace)  # it has to know the numbers of our notetypes
                applied = mirror.apply(changes, plan)
            if plan.media and not self._unmet:
                with self._engine(self._mirror) as engine:
                    self._sync_media(engine)
            self._refuse_news()
            with self._engine(self._mirror) as engine:
                self._send(engine)
                if plan.media and self._unmet:
                    self._sync_media(engine)
            self._come_to_an_end()
        return applied

    def close(self) -> None:
        """Let go of the mirror."""
        self._open.close()
        self._reader = None

    # ------------------------------------------------------------ back and forth

    def _fetch(self, engine: Engine) -> None:
        """Sync the mirror, which holds nothing that the server does not know."""
        output = self._exchange(engine)
        if output.required not in (output.NO_CHANGES, output.NORMAL_SYNC):
            if not _is_new(engine):
                raise self._one_way()
            self._transfer(engine, upload=False)
        self._unmet = _is_new(engine)

    def _begin_to_write(self, *, media_too: bool) -> None:
        """From now on the next run goes back to the mirror as it is, until all is done."""
        folder = self._before.parent
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if media_too:
            self._media_too.touch()
        _copied(self._mirror, self._before)

    def _go_back(self) -> None:
        """Make the mirror what it was before a run that did not come to its end."""
        with self._engine(self._before):
            pass  # what a killed run had not put in its place yet
        for end in ("-wal", "-shm", "-journal"):
            self._mirror.with_name(NAME + end).unlink(missing_ok=True)
        _copied(self._before, self._mirror)

    def _come_to_an_end(self) -> None:
        self._before.unlink()
        shutil.rmtree(self._before.parent)

    def _refuse_news(self) -> None:
        """Refuse to go on if the server has news: what is to be done was decided without them."""
        with self._engine(self._before) as engine:
            was = _stamp(engine)
            output = self._exchange(engine)
            if output.required != output.NO_CHANGES or _stamp(engine) != was:
                raise Obs2ankiError(
                    f"Another device synced with {self.server.account.place} at the same moment, "
                    "so nothing was written there. Run this again."
                )

    def _send(self, engine: Engine) -> None:
        """Sync what was written into the mirror."""
        output = self._exchange(engine)
        if output.required in (output.NO_CHANGES, output.NORMAL_SYNC):
            return
        if not self._unmet or output.required == output.FULL_DOWNLOAD:
            raise self._one_way()
        self._transfer(engine, upload=True)

    # ------------------------------------------------------------ Anki's engine

    @contextmanager
    def _engine(self, path: Path) -> Iterator[Engine]:
        """The collection at `path`, open; one that is not there yet is made."""
        from anki.collection import Collection as Engine  # it has to come first
        from anki.errors import AnkiException  # isort: skip

        if not path.exists():
            path.touch(mode=0o600)
        try:
            engine = Engine(str(path))
        except AnkiException as error:
            refuse_with_the_disk(error)
            raise Obs2ankiError(
                f"obs2anki's own copy of the collection, {path}, cannot be opened "
                f"({_flat(error)}). Update Anki's engine: pip install --upgrade anki. If that "
                f"does not help, remove the folder {self.folder}: the collection is then "
                "downloaded anew."
            ) from error
        try:
            yield engine
        finally:
            engine.close()

    def _exchange(self, engine: Engine) -> SyncOutput:
        """Sync the collection, unless that has to be one way: then only the output says so."""
        try:
            return self._synced(engine)
        except _Refused:
            credentials.forget(self.server.account)
            self._auth = None
            return self._synced(engine)

    def _synced(self, engine: Engine) -> SyncOutput:
        auth = self._authorised(engine)
        self.server.tell(f"Syncing with {self.server.account.place}")
        with self._sentences(engine):
            output = _interruptibly(
                lambda: engine.sync_collection(auth, sync_media=False), engine.abort_sync
            )
        if output.new_endpoint:
            auth.endpoint = output.new_endpoint
        return output

    def _transfer(self, engine: Engine, *, upload: bool) -> None:
        """Sync one way: one of the two sides holds nothing."""
        auth = self._authorised(engine)
        way = "Uploading the collection to" if upload else "Downloading the collection from"
        self.server.tell(f"{way} {self.server.account.place}")
        engine.close_for_full_sync()
        try:
            with self._sentences(engine):
                _interruptibly(
                    lambda: engine.full_upload_or_download(
                        auth=auth, server_usn=None, upload=upload
                    ),
                    engine.abort_sync,
                )
        finally:
            engine.reopen(after_full_sync=True)

    def _sync_media(self, engine: Engine) -> None:
        """Sync media, both ways."""
        auth = self._authorised(engine)
        self.server.tell(f"Syncing media with {self.server.account.place}")

        def to_the_end() -> None:
            engine.sync_media(auth)
            while engine.media_sync_status().active:
                time.sleep(_LOOK)

        with self._sentences(engine):
            _interruptibly(to_the_end, engine.abort_media_sync)

    # ------------------------------------------------------------ who syncs

    def _authorised(self, engine: Engine) -> SyncAuth:
        """The key of this session: the keyring's, else a new one for the password."""
        if self._auth is None:
            from anki.sync import SyncAuth

            account = self.server.account
            key = credentials.session_key(account)
            self._auth = SyncAuth(hkey=key, endpoint=account.server) if key else self._login(engine)
        return self._auth

    def _login(self, engine: Engine) -> SyncAuth:
        account = self.server.account
        password = credentials.password(account, self.server.sources)
        try:
            with self._sentences(engine):
                auth = _interruptibly(
                    lambda: engine.sync_login(account.user, password.text, account.server),
                    engine.abort_sync,
                )
        except _Refused:
            raise _wrong(account, password) from None
        credentials.keep(account, auth.hkey)
        return auth

    # ------------------------------------------------------------ words

    @contextmanager
    def _sentences(self, engine: Engine) -> Iterator[None]:
        """Say what the server, or the way to it, says as a sentence with a remedy."""
        from anki.errors import BackendError, NetworkError, SyncError, SyncErrorKind

        place = self.server.account.place
        try:
            yield
        except NetworkError as error:
            raise Obs2ankiError(
                f"{place} cannot be reached ({_flat(error)}). Look at the connection, at the "
                "address and whether the server runs; then run this again, and it begins where "
                "it was."
            ) from error
        except SyncError as error:
            if error.kind is SyncErrorKind.AUTH:
                raise _Refused(
                    f"{place} refuses {self.server.account.user}. Run this again to log in."
                ) from error
            raise Obs2ankiError(_of_sync(engine, error, place)) from error
        except BackendError as error:
            refuse_with_the_disk(error)
            raise Obs2ankiError(
                f"The sync with {place} failed ({_flat(error)}). Run this again; if that does "
                f"not help, remove the folder {self.folder}, and the collection is downloaded "
                "anew."
            ) from error

    def _question(self) -> str:
        return (
            f"{self.server.account.place} holds no cards yet. If you have an Anki, sync it first "
            "and say no. Upload a collection that holds this vault alone?"
        )

    def _one_way(self) -> Obs2ankiError:
        place = self.server.account.place
        return Obs2ankiError(
            f"The collection on {place} is not the one that was synced last: it was uploaded anew "
            "or its notetypes were changed, or the server has lost it. Anki would sync one way, "
            "which replaces one of the two, so nothing was written. Choose:\n"
            f"  What {place} holds is right: remove the folder {self.folder} and run this again. "
            "Nothing is in it that your Anki or the vault does not have.\n"
            f"  {place} has lost cards: sync an Anki that has them, and let it upload; then do "
            f"the same. If none has, import {self._mirror.parent / 'backups'}'s latest backup "
            "into Anki first."
        )


class _Refused(Obs2ankiError):
    """The server does not take the key or the password."""


def _wrong(account: Account, password: Password) -> Obs2ankiError:
    return Obs2ankiError(
        f"{account.place} refuses {account.user} with the password from {password.origin}. Look "
        "at the user ([sync] user in obs2anki.toml) and at the password, and run this again."
    )


def _not_installed() -> Obs2ankiError:
    return Obs2ankiError(
        f"To sync with a server takes Anki's own engine, which is not installed. Install it: "
        f"{INSTALL}"
    )


def _of_sync(engine: Engine, error: Exception, place: str) -> str:
    """What a server means that can be reached and does not sync."""
    said = str(error)
    known = {
        engine.tr.sync_clock_off(): f"The clock here and that of {place} are more than five "
        "minutes apart, and Anki does not sync like that. Set the clock and the time zone.",
        engine.tr.sync_conflict(): f"Another device is syncing with {place} now. Wait a few "
        "minutes, and run this again.",
        engine.tr.sync_client_too_old(): f"{place} is too new for the engine installed here. "
        "Update it: pip install --upgrade anki",
        engine.tr.sync_server_error(): f"{place} has a fault of its own. Run this again in a few "
        "minutes.",
        engine.tr.sync_sanity_check_failed(): f"{place} and the copy here do not agree after the "
        "sync, so it was undone. In an Anki, check the database (Tools > Check Database) and "
        "sync; then run this again.",
    }
    return known.get(said) or f"{place} does not sync: {_flat(error)}. Run this again later."


def _flat(error: Exception) -> str:
    """Anki's words on one line, without the marks around what it quotes."""
    words = str(error).replace("\u2068", "").replace("\u2069", "").split()
    return " ".join(words).rstrip(".") or type(error).__name__


# ---------------------------------------------------------------- small facts about Anki


def _stamp(engine: Engine) -> tuple[int, int]:
    """When a collection was changed last, and how often its server was."""
    assert engine.db is not None
    modified, number = engine.db.first("SELECT mod, usn FROM col") or (0, 0)
    return int(modified), int(number)


def _is_new(engine: Engine) -> bool:
    """Whether a collection was never synced."""
    assert engine.db is not None
    return not engine.db.scalar("SELECT ls FROM col")


def _interruptibly(work: Callable[[], Result], abort: Callable[[], None]) -> Result:
    """Do what Anki's engine does without listening; a signal meanwhile aborts it."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    try:
        Thread(target=run).start()
        while not wait((future,), timeout=0.5).done:
            pass
    except RuntimeError:  # no thread was to be had
        raise
    except BaseException:
        while not wait((future,), timeout=0.1).done:
            abort()  # which does nothing as long as the engine has not quite begun
        raise
    return future.result()
