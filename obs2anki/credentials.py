"""Who syncs with which server, and what proves it: a password, or the key that it was given for.

    Account("anna@example.org", None)                       AnkiWeb
    Account("anna", "https://anki.example.org/")            a server of one's own

A password is read from the environment, from the system's keyring or from a prompt, and kept
nowhere. For it the server gives a key, which the keyring keeps; where there is none the key is
forgotten when the run ends. Neither is ever part of a message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obs2anki.diagnostics import Obs2ankiError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

VARIABLE = "OBS2ANKI_PASSWORD"
"""The variable of the environment that may hold the password."""

PASSWORDS = "obs2anki"
"""What the keyring calls the service whose passwords the user may put there."""

KEYS = "obs2anki session"
"""What it calls the service whose keys obs2anki puts there."""

_SAFE = 1
"""The priority from which the keyring library recommends a keyring: below are plain files."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a sync server."""

    user: str
    server: str | None = None
    """The server's address, with `/` at its end; None = AnkiWeb."""

    @property
    def place(self) -> str:
        """What people call the server."""
        return "AnkiWeb" if self.server is None else self.server.rstrip("/")

    @property
    def name(self) -> str:
        """The name of the account in a keyring: `anna@example.org`, `anna https://host:8080`."""
        return self.user if self.server is None else f"{self.user} {self.place}"

    @property
    def folder(self) -> str:
        """A name for a folder that is this account's alone."""
        host = "ankiweb" if self.server is None else urlsplit(self.server).hostname or "server"
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in host)
        return f"{plain}-{hashlib.sha256(self.name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Password:
    """A password and where it came from; it never shows itself."""

    text: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a password may come from, besides the keyring."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    trusted: bool = True
    """Whether the user named the server: what a vault names does not get the environment's."""
    ask: Callable[[str], str] | None = None
    """A prompt that does not show what is typed; None = there is nobody to ask."""


def password(account: Account, sources: Sources) -> Password:
    """The password of an account.

    Raises Obs2ankiError, with the ways to give one, where there is none.
    """
    given = sources.environment.get(VARIABLE)
    if given and sources.trusted:
        return Password(given, f"the variable {VARIABLE}")
    kept = _kept(PASSWORDS, account)
    if kept:
        return Password(kept, "the keyring")
    if sources.ask is not None:
        typed = sources.ask(f"Password of {account.user} for {account.place}: ")
        if typed:
            return Password(typed, "the prompt")
        raise Obs2ankiError(
            f"No password was typed, so nothing was synced with {account.place}. Run this again."
        )
    if given:
        raise Obs2ankiError(
            f"obs2anki.toml names the server {account.place}, and the password in {VARIABLE} goes "
            f"only to a server that you name yourself. If it is yours: --server {account.server}"
        )
    raise Obs2ankiError(
        f"There is no password of {account.user} for {account.place}. Set {VARIABLE}, put it into "
        f'the keyring with: keyring set {PASSWORDS} "{account.name}", or run this on a terminal, '
        "which asks for it."
    )


def session_key(account: Account) -> str | None:
    """The key that the server gave at the last login, if the keyring has it."""
    return _kept(KEYS, account)


def keep(account: Account, key: str) -> None:
    """Put the key of an account into the keyring, if there is one."""
    with _tolerating():
        ring = _keyring()
        if ring is not None:
            ring.set_password(KEYS, account.name, key)


def forget(account: Account) -> None:
    """Take the key of an account out of the keyring."""
    with _tolerating():
        ring = _keyring()
        if ring is not None:
            ring.delete_password(KEYS, account.name)


def _kept(service: str, account: Account) -> str | None:
    with _tolerating():
        ring = _keyring()
        return ring.get_password(service, account.name) if ring is not None else None
    return None


@contextmanager
def _tolerating() -> Iterator[None]:
    """Do without a keyring that is locked, or that fails in whatever way: it is a convenience."""
    with suppress(Exception):
        yield


def _keyring() -> KeyringBackend | None:
    """The system's keyring; None where there is none, or only one that is a plain file."""
    try:
        import keyring
    except ImportError:
        return None
    ring = keyring.get_keyring()
    rings = getattr(ring, "backends", None) or (ring,)  # one may stand for several
    return next((one for one in rings if one.priority >= _SAFE), None)
