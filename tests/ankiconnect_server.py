"""AnkiConnect as it was measured, in front of a real collection: `with serving(col) as server:`.

It knows the actions that obs2anki uses, and does them with Anki's own engine as the add-on does:
updates field by field, imports with every option on, answers with HTTP 200 whatever goes wrong.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import Card
from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest
from anki.errors import NotFoundError
from anki.notes import NoteId

WRITING = frozenset(
    (
        *("addTags", "changeDeck", "deleteNotes", "deleteMediaFile", "importPackage"),
        *("removeTags", "setSpecificValueOfCard", "storeMediaFile", "suspend", "unsuspend"),
        "updateNoteFields",
        *("cloneDeckConfigId", "saveDeckConfig", "setDeckConfigId"),
    )
)

CHECKED = frozenset(("ivl", "lapses", "left", "mod", "queue", "reps", "type"))
"""What of a card is set only if the client says that it means it."""

Answer = Any  # JSON, whatever the action says


@dataclass
class Server:
    """A server, and what it was asked."""

    col: Collection
    key: str = ""
    sees_files: bool = True
    """Whether it can read a file that a client names: not from another computer."""
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens right before an action, once."""
    afterwards: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens right after an action, each time."""
    dies_at: int | None = None
    """The call that is done and never answered; all later ones are not even done."""
    replaced: dict[str, Answer] = field(default_factory=dict)
    """Whole replies by action, or what makes them, in place of what would be done."""
    asked: list[str] = field(default_factory=list)
    """Every action, those inside `multi` too."""
    calls: int = 0
    largest: int = 0
    """Bytes of the longest body."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def written(self) -> list[str]:
        """The actions that write, in order."""
        return [name for name in self.asked if name in WRITING]

    # ------------------------------------------------------------ the protocol

    def reply(self, request: dict[str, Answer]) -> Answer:
        name, params = request["action"], request.get("params", {})
        bare = request.get("version", 4) <= 4
        self.asked.append(name)
        if self.key and name != "requestPermission" and request.get("key") != self.key:
            return {"result": None, "error": "valid api key must be provided"}
        if name in self.replaced:
            told = self.replaced[name]
            return told(**params) if callable(told) else told
        act = getattr(self, f"do_{name}", None)
        if act is None:
            return {"result": None, "error": "unsupported action"}
        if name in self.meanwhile:
            self.meanwhile.pop(name)()
        try:
            result = act(**params)
        except Exception as error:
            return {"result": None, "error": str(error)}
        if name in self.afterwards:
            self.afterwards[name]()
        return result if bare else {"result": result, "error": None}

    def do_multi(self, actions: list[dict[str, Answer]]) -> Answer:
        return [self.reply(action) for action in actions]

    def do_requestPermission(self) -> Answer:
        return {"permission": "granted", "requireApikey": bool(self.key), "version": 6}

    def do_version(self) -> Answer:
        return 6

    def do_apiReflect(self, scopes: list[str], actions: list[str] | None = None) -> Answer:
        known = [name[3:] for name in dir(self) if name.startswith("do_")]
        return {
            "scopes": scopes,
            "actions": [name for name in known if actions is None or name in actions],
        }

    # ------------------------------------------------------------ reading

    def do_modelNamesAndIds(self) -> Answer:
        return {one.name: one.id for one in self.col.models.all_names_and_ids()}

    def do_modelFieldNames(self, modelName: str) -> Answer:
        return self.col.models.field_names(self._model(modelName))

    def do_modelTemplates(self, modelName: str) -> Answer:
        templates = self._model(modelName)["tmpls"]
        return {one["name"]: {"Front": one["qfmt"], "Back": one["afmt"]} for one in templates}

    def _model(self, name: str) -> Any:
        model = self.col.models.by_name(name)
        if model is None:
            raise ValueError(f"model was not found: {name}")
        return model

    def do_deckNamesAndIds(self) -> Answer:
        return {one.name: one.id for one in self.col.decks.all_names_and_ids()}

    def do_getDeckConfig(self, deck: str) -> Answer:
        number = self.col.decks.id_for_name(deck)
        return False if number is None else self.col.decks.config_dict_for_deck_id(number)

    def do_getDecks(self, cards: list[int]) -> Answer:
        decks: dict[str, list[int]] = {}
        for card in cards:
            did = self._db.scalar("select did from cards where id = ?", card)
            decks.setdefault(self.col.decks.name(did) if did else "Default", []).append(card)
        return decks

    def do_findNotes(self, query: str) -> Answer:
        return list(self.col.find_notes(query))

    def do_findCards(self, query: str) -> Answer:
        return list(self.col.find_cards(query))

    def do_notesInfo(self, notes: list[int]) -> Answer:
        return [self._info(NoteId(number)) for number in notes]

    def _info(self, number: NoteId) -> Answer:
        try:
            note = self.col.get_note(number)
        except NotFoundError:
            return {}
        model = note.note_type()
        assert model is not None
        return {
            "noteId": note.id,
            "tags": note.tags,
            "fields": {
                one["name"]: {"value": note.fields[one["ord"]], "order": one["ord"]}
                for one in model["flds"]
            },
            "modelName": model["name"],
            "cards": self._db.list("select id from cards where nid = ? order by ord", number),
        }

    def do_getReviewsOfCards(self, cards: list[int]) -> Answer:
        ids = ",".join(map(str, cards))
        reviews: dict[int, list[Answer]] = {card: [] for card in cards}
        for number, card in self._db.all(f"select id, cid from revlog where cid in ({ids})"):
            reviews[card].append({"id": number})
        return reviews

    def do_cardsInfo(self, cards: list[int]) -> Answer:
        return [self._card_info(self.col.get_card(card)) for card in cards]  # type: ignore[arg-type]  # a CardId is an int

    def _card_info(self, card: Card) -> Answer:
        return {
            "cardId": card.id,
            "type": card.type,
            "due": card.due,
            "interval": card.ivl,
            "factor": card.factor,
            "reps": card.reps,
            "lapses": card.lapses,
        }

    @property
    def _db(self) -> Any:
        assert self.col.db is not None
        return self.col.db

    @property
    def _media(self) -> Path:
        return Path(self.col.media.dir())

    def do_getMediaDirPath(self) -> Answer:
        return str(self._media)

    def do_getMediaFilesNames(self, pattern: str) -> Answer:
        return [one.name for one in self._media.iterdir() if fnmatch(one.name, pattern)]

    # ------------------------------------------------------------ writing

    def do_storeMediaFile(
        self, filename: str, path: str | None = None, data: str | None = None
    ) -> Answer:
        if path is not None:
            content = self._file(path).read_bytes()
        else:
            content = base64.b64decode(data or "")
        self.do_deleteMediaFile(filename)
        return self.col.media.write_data(filename, content)

    def do_deleteMediaFile(self, filename: str) -> Answer:
        self.col.media.trash_files([filename])

    def _file(self, path: str) -> Path:
        file = Path(path)
        if not self.sees_files and file.parent != self._media:
            raise FileNotFoundError(2, "No such file or directory", path)
        return file

    def do_importPackage(self, path: str) -> Answer:
        options = ImportAnkiPackageOptions(
            merge_notetypes=True, with_scheduling=True, with_deck_configs=True
        )
        request = ImportAnkiPackageRequest(package_path=str(self._file(path)), options=options)
        self.col.import_anki_package(request)
        return True

    def do_updateNoteFields(self, note: dict[str, Answer]) -> Answer:
        held = self.col.get_note(NoteId(note["id"]))
        for name, text in note["fields"].items():
            if name in held:
                held[name] = text
        self.col.update_note(held)

    def do_addTags(self, notes: list[int], tags: str) -> Answer:
        self.col.tags.bulk_add([NoteId(number) for number in notes], tags)

    def do_removeTags(self, notes: list[int], tags: str) -> Answer:
        self.col.tags.bulk_remove([NoteId(number) for number in notes], tags)

    def do_changeDeck(self, cards: list[int], deck: str) -> Answer:
        number = self.col.decks.id(deck)
        chosen = ",".join(map(str, cards))
        self._db.execute(
            f"update cards set usn = -1, did = ?, odid = 0 where id in ({chosen})", number
        )

    def do_suspend(self, cards: list[int]) -> Answer:
        self.col.sched.suspend_cards([self.col.get_card(card).id for card in cards])  # type: ignore[arg-type]  # a CardId is an int
        return True

    def do_unsuspend(self, cards: list[int]) -> Answer:
        self.col.sched.unsuspend_cards([self.col.get_card(card).id for card in cards])  # type: ignore[arg-type]  # a CardId is an int

    def do_cloneDeckConfigId(self, name: str, cloneFrom: int) -> Answer:
        preset = self.col.decks.get_config(cloneFrom)  # type: ignore[arg-type]  # an id is an int
        return self.col.decks.add_config_returning_id(name, preset)

    def do_setDeckConfigId(self, decks: list[str], configId: int) -> Answer:
        for name in decks:
            deck = self.col.decks.by_name(name)
            if deck is None:
                return False
            deck["conf"] = configId
            self.col.decks.save(deck)
        return True

    def do_saveDeckConfig(self, config: dict[str, Answer]) -> Answer:
        self.col.decks.update_config(config)
        return True

    def do_deleteNotes(self, notes: list[int]) -> Answer:
        self.col.remove_notes([NoteId(number) for number in notes])

    def do_setSpecificValueOfCard(
        self, card: int, keys: list[str], newValues: list[Answer], warning_check: bool = False
    ) -> Answer:
        if not warning_check and set(keys) & CHECKED:
            return False
        try:
            held = self.col.get_card(card)  # type: ignore[arg-type]  # a CardId is an int
            for key, value in zip(keys, newValues, strict=True):
                setattr(held, key, value)
            self.col.update_card(held)
        except Exception as error:
            return [[False, str(error)]]
        return [True]


@contextmanager
def serving(col: Collection, **settings: Answer) -> Iterator[Server]:
    """A server in front of an open collection, in a thread of its own."""
    server = Server(col, **settings)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.calls += 1
            length = int(self.headers["Content-Length"])
            server.largest = max(server.largest, length)
            body = self.rfile.read(length)
            dead = server.dies_at is not None and server.calls > server.dies_at
            answer = b"" if dead else json.dumps(server.reply(json.loads(body))).encode()
            if server.dies_at is not None and server.calls >= server.dies_at:
                return  # the connection is closed without a word
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
