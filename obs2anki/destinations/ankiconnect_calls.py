"""Calls to AnkiConnect, the add-on through which a running Anki can be asked and told.

    POST /  {"action": "findNotes", "version": 6, "params": {"query": "deck:x"}, "key": "..."}
    200     {"result": [1788264000000], "error": null}

Its server looks up every 25 ms, answers one call at a time, closes the connection after each and
does not say so: each call here has a connection of its own, and several actions go in one call.
It reads a body by the kilobyte and slows down with its size, so bodies are kept small (measured
with API version 6 and Anki 26.09).
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec

from obs2anki.diagnostics import Obs2ankiError

DEFAULT = "http://127.0.0.1:8765"
"""Where AnkiConnect listens unless it is told otherwise. Not `localhost`: for that Windows tries
IPv6 for two seconds, at every call."""

KEY_VARIABLE = "OBS2ANKI_ANKICONNECT_KEY"
"""The variable of the environment that holds AnkiConnect's API key."""

API = 6
"""The version of AnkiConnect's API that is spoken here."""

CONNECT, ANSWER = 5.0, 120.0
"""Seconds until a connection has to be there, and until the answer has to come. Anki answers
nothing while it synchronises; 100,000 notes are imported in 5 seconds."""

LONGEST = 1 << 20
"""Bytes of a body, where it can be helped: 1 MB is read in 0.1 seconds, 10 MB in 32, and all the
while Anki is frozen."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Action:
    """Something to ask or to tell: `Action("findNotes", {"query": "deck:x"})`."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)


class Reply(msgspec.Struct):
    """What came of an action; `result` is JSON that is read once its type is known."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


class Refusal(Obs2ankiError):
    """AnkiConnect could not do what it was asked; `text` is what it says, in any language."""

    def __init__(self, action: str, text: str) -> None:
        """`text` may be several lines long."""
        self.action, self.text = action, " ".join(text.split())[:300]
        super().__init__(
            f"Anki could not do what it was asked ({action}): {self.text}. "
            "Look at Anki's window, then run this again."
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """An AnkiConnect at an address; `key` is its API key, empty = none."""

    host: str
    port: int
    secure: bool = False
    key: str = field(default="", repr=False)

    @classmethod
    def to(cls, url: str, key: str = "") -> Calls:
        """Calls to `http://host:port`. Raises Obs2ankiError where that is no such address."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https") or parts.username is not None:
            raise Obs2ankiError(
                f"{_shown(url)} is no address of AnkiConnect. Write it like {DEFAULT}, without a "
                f"name or password; an API key goes into the variable {KEY_VARIABLE}."
            )
        secure = parts.scheme == "https"
        return cls(host, port or (443 if secure else 8765), secure, key)

    @property
    def url(self) -> str:
        """The address, to be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether the address is this computer's own."""
        host = self.host
        return host in ("localhost", "::1") or (
            host.startswith("127.") and host.replace(".", "").isdigit()
        )

    # ------------------------------------------------------------ asking

    def ask(self, kind: type[T], name: str, /, **params: object) -> T:
        """The result of one action, as a `kind`. Raises Refusal, or another Obs2ankiError."""
        return self.read(kind, Action(name, params), self._reply(Action(name, params)))

    def many(self, actions: Sequence[Action]) -> list[Reply]:
        """What came of each action, done one after the other in a single call.

        All of them are done, also those after one that failed. They are done at once, even if
        this program is killed in between.
        """
        if not actions:
            return []
        inner = [self._message(action) for action in actions]
        reply = self._reply(Action("multi", {"actions": inner}))
        replies = self.read(list[Reply], Action("multi"), reply)
        if len(replies) != len(actions):
            self._no_ankiconnect()
        return replies

    def ask_many(self, kind: type[T], actions: Sequence[Action]) -> list[T]:
        """The results of several actions in one call. Raises Refusal if one of them failed."""
        return [
            self.read(kind, action, reply)
            for action, reply in zip(actions, self.many(actions), strict=True)
        ]

    def read(self, kind: type[T], action: Action, reply: Reply) -> T:
        """The result in a reply."""
        if reply.error is not None:
            self._refused(action.name, reply.error)
        try:
            return msgspec.json.decode(reply.result, type=kind)
        except msgspec.DecodeError:
            raise Obs2ankiError(
                f"AnkiConnect at {self.url} answered {action.name} in a form that obs2anki does "
                "not know. Update the add-on, or obs2anki."
            ) from None

    # ------------------------------------------------------------ one call

    def _message(self, action: Action) -> dict[str, object]:
        message: dict[str, object] = {
            "action": action.name,
            "version": API,
            "params": action.params,
        }
        return message | {"key": self.key} if self.key else message

    def _reply(self, action: Action) -> Reply:
        body = self._post(msgspec.json.encode(self._message(action)))
        try:
            return msgspec.json.decode(body, type=Reply)
        except msgspec.DecodeError:
            self._no_ankiconnect()

    def _post(self, body: bytes) -> bytes:
        connection, connected = self._connection(), False
        try:
            connection.connect()
            connected = True
            if connection.sock is not None:
                connection.sock.settimeout(ANSWER)
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except http.client.HTTPException:
            self._no_ankiconnect()
        except OSError as error:
            raise (self._broken(error) if connected else self._absent()) from error
        finally:
            connection.close()
        if response.status == http.client.FORBIDDEN:
            raise Obs2ankiError(
                f"AnkiConnect at {self.url} refuses this program. Look at webBindAddress and "
                "webCorsOriginList in its settings (Anki: Tools > Add-ons > AnkiConnect > Config)."
            )
        if response.status != http.client.OK:
            self._no_ankiconnect()
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if self.secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=CONNECT, context=context
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=CONNECT)

    # ------------------------------------------------------------ what can go wrong

    def _absent(self) -> Obs2ankiError:
        return Obs2ankiError(
            f"No Anki answers at {self.url}. Start Anki, with the add-on AnkiConnect (2055492159) "
            "installed, and run this again; or sync without Anki running: --collection"
        )

    def _broken(self, error: OSError) -> Obs2ankiError:
        if isinstance(error, TimeoutError):
            return Obs2ankiError(
                f"Anki at {self.url} did not answer within {ANSWER:.0f} seconds. It may be "
                "synchronising: wait until it is done, then run this again; it goes on where it "
                "was."
            )
        return Obs2ankiError(
            f"The connection to Anki at {self.url} broke ({error.strerror or error}). If Anki is "
            "closed, start it; then run this again: it goes on where it was."
        )

    def _no_ankiconnect(self) -> NoReturn:
        raise Obs2ankiError(
            f"What answers at {self.url} is no AnkiConnect. Name its address: --connect {DEFAULT}"
        )

    def _refused(self, action: str, text: str) -> NoReturn:
        if self.key:
            text = text.replace(self.key, "…")  # it may quote what it was sent
        if "api key" in text:
            raise Obs2ankiError(
                f"AnkiConnect at {self.url} wants its API key, and "
                + (f"that in {KEY_VARIABLE} is not it. " if self.key else "got none. ")
                + f"Put the apiKey of the add-on's settings into the variable {KEY_VARIABLE}."
            )
        if text == "collection is not available":
            raise Obs2ankiError(
                "No collection is open in Anki. Choose your profile in Anki's window, then run "
                "this again."
            )
        raise Refusal(action, text)


def _shown(url: str) -> str:
    """An address without what may be a password in it."""
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://…@{after}" if at else url
