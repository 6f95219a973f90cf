"""A running Anki, followed through its add-on AnkiConnect.

    findNotes   (mid:1577836800101) "Vault:obs2anki"    whose notes
    notesInfo   1,000 notes a call                      their fields, tags and cards
    findCards   ... is:suspended                        what notesInfo does not tell
    importPackage                                       new notes and cards, and large changes
    multi       addTags, changeDeck, updateNoteFields   small changes

Nothing that it answers is taken for proof: what was written is read once more, and the next run
reads all again. What goes together is told in one call, which Anki does even if this program is
killed in between (measured with API version 6 and Anki 26.09).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TypeVar

import msgspec
from msgspec import structs

from obs2anki import identity
from obs2anki.ankitext import clean_deck
from obs2anki.data import CardState, DeckName, Guid, Media, Plan, Scheduling, VaultPath
from obs2anki.deeds import (
    Add,
    Applied,
    CardId,
    Change,
    Changes,
    HeldCard,
    HeldNote,
    Holding,
    Limit,
    NoteId,
    Place,
)
from obs2anki.destinations import anki2, ankiconnect_parcel, scheduled
from obs2anki.destinations.ankiconnect_calls import (
    API,
    DEFAULT,
    LONGEST,
    Action,
    Calls,
    Refusal,
)
from obs2anki.destinations.ankiconnect_parcel import Parcel
from obs2anki.destinations.collection_notes import kind_of
from obs2anki.destinations.kinds import LAST, Kind
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.media import is_named_for

T = TypeVar("T")

NEEDED = frozenset(
    (
        *("addTags", "apiReflect", "cardsInfo", "changeDeck", "deckNamesAndIds"),
        *("deleteMediaFile", "deleteNotes", "findCards", "findNotes", "getDeckConfig"),
        *(
            "getDecks",
            "getMediaDirPath",
            "getMediaFilesNames",
            "getReviewsOfCards",
            "importPackage",
        ),
        *("modelFieldNames", "modelNamesAndIds", "modelTemplates", "multi", "notesInfo"),
        *("removeTags", "requestPermission", "setSpecificValueOfCard", "storeMediaFile"),
        *("suspend", "unsuspend", "updateNoteFields"),
    )
)
"""The actions without which nothing is begun."""

NOTETYPES = Action("modelNamesAndIds")

READ_AT_ONCE = 1000
"""Notes a call: Anki stands still for 0.2 seconds. Fewer take longer, more no less time."""

WRITTEN_AT_ONCE = 50
"""Notes that are updated in one call: Anki stands still for half a second."""

SINGLY = 20
"""Changed notes up to which each is updated by itself, and above which a package is imported.

To update one takes 10 ms, to import a package 0.2 seconds and next to nothing for each note in
it. A package can be undone in Anki in one step, while an update drops what could be undone
before; but an update leaves alone what it does not name, and a package replaces the whole note.
"""


@dataclass(frozen=True, slots=True)
class AnkiConnect:
    """The Anki that runs at an address."""

    url: str = DEFAULT
    key: str = field(default="", repr=False)
    """AnkiConnect's API key; empty = none."""
    rollover: int = 4
    """The hour at which its next day starts, which AnkiConnect does not tell."""
    schedules: bool = False
    """Whether to read how each card is scheduled, which takes seconds."""
    deck_options: bool = False
    """Whether to read the options of each deck."""

    @contextmanager
    def session(self) -> Iterator[Session]:
        """An Anki to read and write.

        Raises Obs2ankiError, with a remedy, where none answers, where it wants another key, and
        where the add-on is too old.
        """
        yield self._opened()

    def _opened(self) -> Session:
        calls = Calls.to(self.url, self.key)
        _greet(calls)
        return Session(calls, self.rollover, self.schedules, self.deck_options)

    def ahead(self, namespace: str) -> Callable[[], AbstractContextManager[Session]]:
        """As `session`, but Anki is read at once, while the caller still looks at the vault.

        Of 10,000 notes each takes two seconds, the one in this process, the other in Anki's.
        """
        begun: Future[Session] = Future()
        # Whoever does not wait for it is not kept waiting: it only reads.
        Thread(target=self._begin, args=(namespace, begun), daemon=True).start()

        @contextmanager
        def session() -> Iterator[Session]:
            yield begun.result()

        return session

    def _begin(self, namespace: str, begun: Future[Session]) -> None:
        try:
            session = self._opened()
            session.begin(namespace)
            begun.set_result(session)
        except BaseException as error:
            begun.set_exception(error)


class _Permission(msgspec.Struct):
    permission: str
    requireApikey: bool = False
    version: int = API


class _Reflection(msgspec.Struct):
    actions: frozenset[str]


def _greet(calls: Calls) -> None:
    """Find out whether this program may talk to Anki, and whether Anki can do what it takes."""
    version: int | None = None
    missing = NEEDED
    try:
        answer = calls.ask(_Permission, "requestPermission")
        version = answer.version
        if answer.permission != "granted":
            raise Obs2ankiError(
                f"AnkiConnect at {calls.url} gives no permission. Allow it in the window that "
                "Anki shows, then run this again."
            )
        known = calls.ask(
            _Reflection, "apiReflect", scopes=["actions"], actions=sorted(NEEDED)
        ).actions
        missing = NEEDED - known
    except Refusal:  # an add-on older than these two questions
        version = version or calls.ask(int, "version")
    if version < API or missing:
        raise Obs2ankiError(
            f"AnkiConnect at {calls.url} speaks version {version} of its API and lacks "
            f"{', '.join(sorted(missing)) or 'what came after it'}. Update the add-on (Anki: "
            "Tools > Add-ons > Check for Updates)."
        )


# ---------------------------------------------------------------- what Anki answers


class _Field(msgspec.Struct):
    value: str


class _Info(msgspec.Struct):
    """A note; all of it is empty where there is none."""

    noteId: int = 0
    modelName: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, _Field] = {}
    cards: tuple[int, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        return {name: one.value for name, one in self.fields.items()}

    def text(self, name: str) -> str:
        return self.fields[name].value if name in self.fields else ""


class _Template(msgspec.Struct):
    Front: str = ""


class _CardInfo(msgspec.Struct):
    """A card; all of it is empty where there is none."""

    cardId: int = 0
    type: int = 0
    due: int = 0
    interval: int = 0
    factor: int = 0
    reps: int = 0
    lapses: int = 0

    def scheduling(self, first: date | None) -> Scheduling:
        """As far as it is compared; due days count from `first`."""
        own = (self.type, self.due, self.interval, self.factor, self.reps, self.lapses)
        return scheduled.of(*own, first)


class _Reviews(msgspec.Struct):
    maxIvl: int = 0


class _Preset(msgspec.Struct):
    """The options of a deck; of a filtered one it is the deck itself."""

    id: int = 0
    name: str = ""
    dyn: bool | int = False
    rev: _Reviews = msgspec.field(default_factory=_Reviews)


@dataclass(frozen=True, slots=True)
class _Cards:
    """What is known of cards, by id."""

    ordinal: Mapping[int, int]
    deck: Mapping[int, DeckName]
    filtered: frozenset[int]
    crammed: frozenset[int]
    suspended: frozenset[int]
    answered: frozenset[int]
    scheduling: Mapping[int, Scheduling]

    def held(self, number: int) -> HeldCard:
        return HeldCard(
            CardId(number),
            self.ordinal.get(number, 0),
            self.deck.get(number, DeckName("Default")),
            filtered=number in self.filtered,
            cramming=number in self.crammed,
            suspended=number in self.suspended,
            answered=number in self.answered,
            scheduling=self.scheduling.get(number),
        )


EVER = 36500
"""Days back to which a review counts: all of them."""

FARTHEST = 1 << 17
"""Days from today within which every card is due."""

MOST_SENT = 8 << 20
"""Bytes of a file that is sent to Anki as a whole: it freezes half a minute for so many."""


@dataclass(slots=True)
class Session:
    """A running Anki while it is read and, once, written."""

    calls: Calls
    rollover: int
    schedules: bool
    deck_options: bool
    _namespace: str = ""
    _kinds: dict[str, Kind] = field(default_factory=dict)
    """Our notetypes, by their names in Anki."""
    _kind_of: dict[NoteId, str] = field(default_factory=dict)
    """The names of the notetypes of notes."""
    _decks: dict[str, int] = field(default_factory=dict)
    _refused: dict[Place, str] = field(default_factory=dict)
    _begun: tuple[str, Holding] | None = None
    """A namespace whose notes are read already."""
    _shares_files: bool = False
    """Whether Anki can read a file that is named to it."""

    # ------------------------------------------------------------ reading

    def read(self, namespace: str) -> Holding:
        """What Anki holds, but for GUIDs and scheduling, which AnkiConnect does not tell."""
        if self._begun is not None and self._begun[0] == namespace:
            return self._begun[1]
        self._namespace = namespace
        filtered, media, models = self._look_around()
        self._find_kinds(models)
        notes = [info for info in self._infos(self._notes()) if self._is_ours(info)]
        self._kind_of = {NoteId(info.noteId): info.modelName for info in notes}
        cards = self._cards([card for info in notes for card in info.cards], filtered)
        return Holding(
            notes=tuple(self._held(info, cards) for info in notes),
            decks=frozenset(map(DeckName, self._decks)) - filtered,
            filtered=filtered,
            media=frozenset(unicodedata.normalize("NFC", name) for name in media),
            longest=self._longest() if self.deck_options else {},
        )

    def begin(self, namespace: str) -> None:
        """Read now what `read` is asked for later."""
        self._begun = namespace, self.read(namespace)

    def _look_around(self) -> tuple[frozenset[DeckName], list[str], dict[str, int]]:
        """The filtered decks that hold a card, the names of all media, the notetypes by name."""
        actions = (
            Action("deckNamesAndIds"),
            Action("findCards", {"query": "deck:filtered"}),
            Action("getMediaFilesNames", {"pattern": "*"}),
            NOTETYPES,
        )
        decks, away, media, models = self.calls.many(actions)
        read = self.calls.read
        self._decks = read(dict[str, int], actions[0], decks)
        cards = read(list[int], actions[1], away)
        held = self.calls.ask(dict[DeckName, list[int]], "getDecks", cards=cards) if cards else ()
        return (
            frozenset(held),
            read(list[str], actions[2], media),
            read(dict[str, int], NOTETYPES, models),
        )

    def _find_kinds(self, models: Mapping[str, int]) -> None:
        """Find our notetypes, by their fields, and what templates they have."""
        fields = self.calls.ask_many(
            tuple[str, ...], [Action("modelFieldNames", {"modelName": name}) for name in models]
        )
        ours = dict(known for known in zip(models, fields, strict=True) if kind_of(known[1]))
        templates = self.calls.ask_many(
            dict[str, _Template], [Action("modelTemplates", {"modelName": name}) for name in ours]
        )
        kinds = (
            Kind.of(models[name], name, ours[name], {key: own[key].Front for key in own})
            for name, own in zip(ours, templates, strict=True)
        )
        self._kinds = {kind.name: kind for kind in kinds if kind is not None}

    @property
    def _scope(self) -> str:
        """What finds the notes and cards of the vault; Anki ignores case here."""
        # Without a notetype `mid:0` finds nothing.
        ids = " OR ".join(f"mid:{kind.id}" for kind in self._kinds.values()) or "mid:0"
        return f'({ids}) "Vault:{_escaped(self._namespace)}"'

    def _is_ours(self, info: _Info) -> bool:
        vault = info.fields.get("Vault")
        return (
            info.modelName in self._kinds and vault is not None and vault.value == self._namespace
        )

    def _notes(self) -> list[int]:
        """The vault's notes, oldest first."""
        return sorted(self.calls.ask(list[int], "findNotes", query=self._scope))

    def _infos(self, notes: Sequence[int]) -> Iterator[_Info]:
        """The notes as they are now, in this order; empty where there is none any more."""
        for some in _batched(notes, READ_AT_ONCE):
            yield from self.calls.ask(list[_Info], "notesInfo", notes=some)

    def _held(self, info: _Info, cards: _Cards) -> HeldNote:
        kind = self._kinds[info.modelName]
        there = sorted(map(cards.held, info.cards), key=lambda card: card.ordinal)
        own, number = kind.told(there), NoteId(info.noteId)
        return HeldNote(number, None, kind.notetype, info.texts, info.tags, own, kind.lacks)

    # ------------------------------------------------------------ reading cards

    def _cards(self, cards: Sequence[int], filtered: frozenset[DeckName]) -> _Cards:
        queries = ("is:suspended", "deck:filtered", f"rated:{EVER}")
        suspended, away, answered = self._find(queries)
        decks: dict[int, DeckName] = {}
        for some in _batched(cards, 10 * READ_AT_ONCE):
            found = self.calls.ask(dict[str, list[int]], "getDecks", cards=some)
            decks |= {card: DeckName(name) for name, own in found.items() for card in own}
        if away:
            decks |= self._homes(filtered)
        crammed = self._crammed(sorted(away))
        schedulings = self._schedulings([c for c in cards if c not in answered])
        return _Cards(self._ordinals(cards), decks, away, crammed, suspended, answered, schedulings)

    def _crammed(self, away: Sequence[int]) -> frozenset[int]:
        """Those of cards in filtered decks that are asked again there at some moment."""
        return frozenset(
            info.cardId
            for info in self._card_infos(away)
            if scheduled.is_crammed(info.type, info.due)
        )

    def _schedulings(self, cards: Sequence[int]) -> dict[int, Scheduling]:
        if not self.schedules:
            return {}
        first = self._first_day()
        return {info.cardId: info.scheduling(first) for info in self._card_infos(cards)}

    def _card_infos(self, cards: Sequence[int]) -> Iterator[_CardInfo]:
        for some in _batched(cards, READ_AT_ONCE):
            yield from self.calls.ask(list[_CardInfo], "cardsInfo", cards=some)

    def _find(self, queries: Iterable[str]) -> list[frozenset[int]]:
        """The vault's cards that each query finds."""
        actions = [Action("findCards", {"query": f"{self._scope} {query}"}) for query in queries]
        return self.calls.ask_many(frozenset[int], actions)

    def _homes(self, filtered: frozenset[DeckName]) -> dict[int, DeckName]:
        """The own deck of each card that is in a filtered one: `did:` finds it there too."""
        own = {name: number for name, number in self._decks.items() if name not in filtered}
        found = self._find(f"deck:filtered did:{number}" for number in own.values())
        return {
            card: DeckName(name) for name, some in zip(own, found, strict=True) for card in some
        }

    def _ordinals(self, cards: Sequence[int]) -> dict[int, int]:
        """The ordinals of cards, asked for by number until all are known."""
        ordinal: dict[int, int] = {}
        numbers = range(2)
        while len(ordinal) < len(cards) and numbers.start < LAST:
            found = self._find(f"card:{number + 1}" for number in numbers)
            ordinal |= {card: n for n, own in zip(numbers, found, strict=True) for card in own}
            numbers = range(numbers.stop, 3 * numbers.stop)
        return ordinal

    # ------------------------------------------------------------ writing

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        """Do all of `changes`, media first.

        What was edited in Anki since it was read, and what Anki did not keep, is `refused`.
        """
        self._shares_files = self.calls.is_here
        self._store(changes.media, plan)
        changed = self._possible(changes.changed)
        parcels, single = self._parcels(changes.added, changed, plan)
        before = frozenset(self._notes()) if parcels else frozenset()
        self._bring(parcels, plan)
        self._account(before, parcels)
        self._complete(parcels)
        single += self._not_kept([p.change for p in parcels if p.change is not None])
        self._update(single)
        self._reschedule(changed)
        if changes.removed:
            self.calls.ask(
                msgspec.Raw, "deleteNotes", notes=[one.held.id for one in changes.removed]
            )
        self._limit(changes.limits)
        for change in self._not_kept(single):
            self._refuse(change.place, UNDONE)
        return Applied(refused=tuple(self._refused.items()))

    def _refuse(self, place: Place, why: str) -> None:
        self._refused.setdefault(place, why)

    def _possible(self, changes: Sequence[Change]) -> list[Change]:
        """What can be done as it was decided: Anki is not locked, its user may be at work."""
        moves = {change.move.deck for change in changes if change.move is not None}
        filtered = self._filtered(moves)
        possible: list[Change] = []
        written = [change for change in changes if change.writes]
        infos = self._infos([change.held.id for change in written])
        for change, info in zip(written, infos, strict=True):
            held = change.held
            if info.texts != held.fields or set(info.tags) != set(held.tags):
                self._refuse(change.place, EDITED)
            elif change.move is not None and change.move.deck in filtered:
                self._refuse(change.place, _no_cards_in(change.move.deck))
            else:
                possible.append(change)
        return possible

    def _filtered(self, decks: Iterable[DeckName]) -> frozenset[DeckName]:
        """Those of the decks that can have no cards of their own: one that is empty too."""
        there = [name for name in decks if name in self._decks]
        return frozenset(name for name, preset in self._presets(there).items() if preset.dyn)

    # ------------------------------------------------------------ deck options

    def _presets(self, decks: Sequence[DeckName]) -> dict[DeckName, _Preset]:
        """The options of decks that are there."""
        asked = [_options_of(name) for name in decks]
        return dict(zip(decks, self.calls.ask_many(_Preset, asked), strict=True))

    def _longest(self) -> dict[DeckName, int]:
        """The maximum interval of each deck."""
        presets = self._presets(list(map(DeckName, self._decks)))
        return {name: preset.rev.maxIvl for name, preset in presets.items() if not preset.dyn}

    def _limit(self, limits: Sequence[Limit]) -> None:
        """Give decks a maximum interval; where other decks have the same options, in a copy."""
        if not limits:
            return
        decks = self.calls.ask(dict[DeckName, int], "deckNamesAndIds")
        presets = self._presets(list(decks))
        wanted = {limit.deck: limit.days for limit in limits}
        sharing: dict[int, list[DeckName]] = {}
        for name, preset in presets.items():
            sharing.setdefault(preset.id, []).append(name)
        for number, sharers in sharing.items():
            own = [name for name in sharers if name in wanted]
            if own and len(own) < len(sharers):
                copied = f"{presets[own[0]].name} (obs2anki)"
                number = self._told(int, "cloneDeckConfigId", name=copied, cloneFrom=number)
                self._told(bool, "setDeckConfigId", decks=own, configId=number)
            if own:
                options = self.calls.ask(dict[str, object], "getDeckConfig", deck=own[0])
                reviews = options["rev"]
                assert isinstance(reviews, dict)
                changed = options | {"rev": reviews | {"maxIvl": wanted[own[0]]}}
                self._told(bool, "saveDeckConfig", config=changed)

    def _told(self, kind: type[T], action: str, /, **params: object) -> T:
        """Tell something that is answered with false where it cannot be done."""
        answer = self.calls.ask(kind, action, **params)
        if answer is False:
            raise Refusal(action, "it says no more than that")
        return answer

    # ------------------------------------------------------------ media

    def _store(self, media: Sequence[Media], plan: Plan) -> None:
        """Add files to Anki's media folder: by their paths or, where Anki cannot read these, whole.

        What another program changes meanwhile is `refused`: under a name that Anki has, no later
        run would put another picture. Raises Obs2ankiError where a file is gone.
        """
        rest = list(media)
        while self._shares_files and rest:
            some = rest[:WRITTEN_AT_ONCE]
            actions = [
                Action("storeMediaFile", {"filename": one.name, "path": str(one.file.absolute())})
                for one in some
            ]
            for item, reply in zip(some, self.calls.many(actions), strict=True):
                if reply.error is None:
                    name = self.calls.read(str, actions[0], reply)
                    if is_named_for(item, _digest(item)):
                        self._stored(item, name, plan)
                    else:
                        self.calls.ask(msgspec.Raw, "deleteMediaFile", filename=name)
                        self._refuse(_shown_on(item, plan), CHANGED.format(item.file))
                    rest.remove(item)
                elif _names_file(reply.error, item.file):
                    self._shares_files = False
                else:
                    self.calls.read(str, actions[0], reply)
        for item in rest:
            if item.size > MOST_SENT:
                self._refuse(_shown_on(item, plan), TOO_LARGE.format(item.name))
            elif not is_named_for(item, hashlib.sha256(content := _read(item)).hexdigest()):
                self._refuse(_shown_on(item, plan), CHANGED.format(item.file))
            else:
                data = _encoded(content)
                name = self.calls.ask(str, "storeMediaFile", filename=item.name, data=data)
                self._stored(item, name, plan)

    def _stored(self, item: Media, name: str, plan: Plan) -> None:
        if unicodedata.normalize("NFC", name) != item.name:
            self._refuse(_shown_on(item, plan), RENAMED.format(item.name, name))

    # ------------------------------------------------------------ packages

    def _parcels(
        self, added: Sequence[Add], changed: Sequence[Change], plan: Plan
    ) -> tuple[list[Parcel], list[Change]]:
        """What goes into a package, and what is written note by note."""
        main = {
            kind.notetype: kind
            for kind in sorted(self._kinds.values(), key=lambda kind: kind.is_released)
        }
        parcels = [
            ankiconnect_parcel.new(add, main.get(add.note.notetype))
            for add in self._with_free_ids(added)
        ]
        large = sum(bool(change.fields) for change in changed) > SINGLY
        packed = [
            change
            for change in changed
            if change.held.cards and (change.siblings or (large and change.fields))
        ]
        if not packed:
            return parcels, list(changed)
        guids = _guids(plan)
        now = int(time.time())
        for change in packed:
            guid = guids[change.held.fields.get("Id", "")]
            kind = self._kinds[self._kind_of[change.held.id]]
            parcels.append(ankiconnect_parcel.changed(change, guid, kind, now))
        taken = {change.held.id for change in packed}
        return parcels, [change for change in changed if change.held.id not in taken]

    def _with_free_ids(self, added: Sequence[Add]) -> list[Add]:
        """The same notes, none with the id of a card that was deleted: its reviews outlive it."""
        free: list[Add] = []
        doubtful = list(added)
        while doubtful:
            logged: set[int] = set()
            ids = [number for add in doubtful for number in _ids(add)]
            for some in _batched(ids, 10 * READ_AT_ONCE):
                found = self.calls.ask(
                    dict[int, list[msgspec.Raw]], "getReviewsOfCards", cards=some
                )
                logged |= {number for number, reviews in found.items() if reviews}
            free += [add for add in doubtful if logged.isdisjoint(_ids(add))]
            taken = [add for add in doubtful if not logged.isdisjoint(_ids(add))]
            doubtful = [_later(add) for add in taken]
        return free

    def _bring(self, parcels: Sequence[Parcel], plan: Plan) -> None:
        """Import a package, and do what else belongs to its notes in the same call."""
        if not parcels:
            return
        package = ankiconnect_parcel.packed(parcels, self._kinds.values(), plan)
        changes = [parcel.change for parcel in parcels if parcel.change is not None]
        if self._shares_files:
            with TemporaryDirectory(prefix="obs2anki-") as folder:
                path = Path(folder).absolute() / "sync.apkg"
                path.write_bytes(package)
                self._shares_files = self._import(path, str(path), (), changes)
            if self._shares_files:
                return
        if len(package) * 4 // 3 > LONGEST and len(parcels) > 1:
            half = len(parcels) // 2
            self._bring(parcels[:half], plan)
            self._bring(parcels[half:], plan)
            return
        name = f"_obs2anki-{secrets.token_hex(8)}.apkg"
        folder = self.calls.ask(str, "getMediaDirPath")
        store = Action("storeMediaFile", {"filename": name, "data": _encoded(package)})
        try:
            self._import(Path(name), f"{folder}/{name}", (store,), changes)
        finally:
            self.calls.ask(msgspec.Raw, "deleteMediaFile", filename=name)

    def _import(
        self, file: Path, path: str, first: Sequence[Action], changes: Sequence[Change]
    ) -> bool:
        """Import the package at `path`; False if Anki cannot read it there, then nothing is done.

        Cards are moved and woken before State says so, and suspended with the call that says it:
        whatever comes between, the next run knows what is left to do.
        """
        suspended = [card for change in changes for card in change.suspend]
        woken = [card for change in changes for card in change.wake]
        deeds = [_Deed(action) for action in first]
        deeds += _moves(changes)
        if woken:
            deeds.append(_Deed(Action("unsuspend", {"cards": woken}), changes))
        at = len(deeds)
        deeds.append(_Deed(Action("importPackage", {"path": path})))
        if suspended:
            deeds.append(_Deed(Action("suspend", {"cards": suspended}), changes))
        replies = self.calls.many([deed.action for deed in deeds])
        if replies[at].error is not None and suspended:
            self.calls.ask(msgspec.Raw, "unsuspend", cards=suspended)
        if not first and _names_file(replies[at].error, file):
            return False
        for deed, reply in zip(deeds, replies, strict=True):
            if reply.error is None:
                continue
            if not deed.changes:
                self.calls.read(bool, deed.action, reply)
            self._take_back(deed.changes, reply.error)
        return True

    def _account(self, before: frozenset[int], parcels: Sequence[Parcel]) -> None:
        """Compare what a package has brought with what it was to bring.

        A note that Anki would not take has its GUID elsewhere. One too many was brought for a
        copy that the user made, whose GUID nobody knows: that one is taken away again.
        """
        if not parcels:
            return
        if any(parcel.kind is None for parcel in parcels):
            self._find_kinds(self.calls.ask(dict[str, int], NOTETYPES.name))
        added = {p.own: p for p in parcels if p.change is None}
        kept = {p.own: p for p in parcels if p.change is not None}
        new = [number for number in self._notes() if number not in before]
        if len(new) == len(added):
            return
        brought = {info.noteId: info.text("Id") for info in self._infos(new)}
        strays = [n for n, own in brought.items() if own in kept and kept[own].may_have(n)]
        if strays:
            self.calls.ask(msgspec.Raw, "deleteNotes", notes=strays)
        for own, parcel in added.items():
            if own not in brought.values():
                self._refuse(parcel.place, ELSEWHERE)

    def _complete(self, parcels: Sequence[Parcel]) -> None:
        """Have Anki make the cards of templates that the user added: to write a note does that.

        Until State is there the next run takes the note for one that is to be written.
        """
        wanted = {p.own: p.state for p in parcels if p.is_incomplete}
        if not wanted:
            return
        updates = [
            _update(NoteId(info.noteId), {"State": wanted[own]})
            for info in self._infos(self._notes())
            if (own := info.text("Id")) in wanted and not info.text("State")
        ]
        for some in _batched(updates, WRITTEN_AT_ONCE):
            self.calls.ask_many(msgspec.Raw, some)

    def _not_kept(self, changes: Sequence[Change]) -> list[Change]:
        """Changes whose State Anki does not have, whatever it answered."""
        told = [change for change in changes if "State" in change.fields]
        infos = self._infos([change.held.id for change in told])
        return [
            change
            for change, info in zip(told, infos, strict=True)
            if info.text("State") != change.fields["State"]
        ]

    # ------------------------------------------------------------ note by note

    def _update(self, changes: Sequence[Change]) -> None:
        """Write changes note by note; all that belongs to one is told in one call."""
        for some in _small(changes):
            deeds = [_Deed(action, (change,)) for change in some for action in _actions(change)]
            replies = self.calls.many([deed.action for deed in deeds])
            for deed, reply in zip(deeds, replies, strict=True):
                if reply.error is not None:
                    self._take_back(deed.changes, reply.error)

    def _take_back(self, changes: Sequence[Change], why: str) -> None:
        """Let State say again that these are to be done: something of them failed.

        Cards that were suspended wake up: nothing would say any more who had put them to sleep.
        """
        for change in changes:
            actions = []
            if change.suspend:
                actions.append(Action("unsuspend", {"cards": list(change.suspend)}))
            if "State" in change.fields:
                fields = {"State": change.held.fields.get("State", "")}
                actions.append(_update(change.held.id, fields))
            self.calls.many(actions)
            self._refuse(change.place, f"Anki said: {why}")

    # ------------------------------------------------------------ scheduling

    def _reschedule(self, changes: Sequence[Change]) -> None:
        """Give cards the scheduling of the vault; FSRS memory cannot be told to AnkiConnect."""
        wanted = [change for change in changes if change.reschedule]
        if not wanted:
            return
        first = self._first_day() or self._first_day_by(wanted)
        if first is None:
            for change in wanted:
                self._refuse(change.place, NO_DAY)
            return
        for some in _batched(wanted, WRITTEN_AT_ONCE):
            deeds = [_Deed(_renewal(r, one, first), (one,)) for one in some for r in one.reschedule]
            replies = self.calls.many([deed.action for deed in deeds])
            for deed, reply in zip(deeds, replies, strict=True):
                if reply.error is not None or bytes(reply.result) != b"[true]":
                    why = reply.error or bytes(reply.result).decode()
                    self._refuse(deed.changes[0].place, f"Anki said: {why}")

    def _first_day_by(self, wanted: Iterable[Change]) -> date | None:
        """The day from which Anki counts, found by giving a due day to a card that gets one."""
        for change in wanted:
            asleep = {card.id for card in change.held.cards if card.suspended}
            for card, scheduling in change.reschedule:
                if scheduling.due is not None and card not in asleep:
                    self.calls.many([_renewal((card, scheduling), change, scheduling.due)])
                    return self._first_day()
        return None

    def _first_day(self) -> date | None:
        """The day from which Anki counts due days; None if no card is due on a day.

        AnkiConnect does not tell it, but a search knows how far away a card is due.
        """
        query = "is:review -is:learn -is:suspended -is:buried -deck:filtered"
        cards = self.calls.ask(list[int], "findCards", query=query)
        if not cards:
            return None
        card = cards[0]
        (info,) = self.calls.ask(list[_CardInfo], "cardsInfo", cards=[card])
        low, high = -FARTHEST, FARTHEST  # due at `low` or later, and before `high`
        while high - low > 1:
            step = max(1, (high - low) // 64)
            marks = range(low + step, high, step)
            found = self.calls.ask_many(
                list[int],
                [Action("findCards", {"query": f"cid:{card} prop:due<{m}"}) for m in marks],
            )
            low, high = next(
                ((m - step, m) for m, own in zip(marks, found, strict=True) if own),
                (marks[-1], high),
            )
        return scheduled.today(self.rollover) + timedelta(days=low - info.due)


# ---------------------------------------------------------------- why something was not done

EDITED = "it was edited in Anki while the changes were worked out; the next run looks again"
UNDONE = (
    "Anki did not keep it: the note is open in an editor, or the clock of that computer is ahead"
)
ELSEWHERE = "Anki has this note already, of another vault or notetype"
NO_DAY = "Anki holds no review card yet from which its days could be told"
TOO_LARGE = "{} is too large to be sent to an Anki that cannot read it from the disk"
CHANGED = "{} has changed while it was read; the next run looks again"
RENAMED = "Anki stored {} under the name {}"


def _no_cards_in(deck: DeckName) -> str:
    return f"{deck} is a filtered deck in Anki, which can have no cards of its own"


# ---------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True)
class _Deed:
    """An action, and the changes that are not done if it fails."""

    action: Action
    changes: Sequence[Change] = ()


def _actions(change: Change) -> Iterator[Action]:
    """All that is to be done to a note, in one call with its State."""
    note = change.held.id
    if change.remove_tags:
        yield Action("removeTags", {"notes": [note], "tags": " ".join(change.remove_tags)})
    if change.add_tags:
        yield Action("addTags", {"notes": [note], "tags": " ".join(change.add_tags)})
    for deed in _moves((change,)):
        yield deed.action
    if change.wake:
        yield Action("unsuspend", {"cards": list(change.wake)})
    if change.fields:
        yield _update(note, change.fields)
    if change.suspend:
        yield Action("suspend", {"cards": list(change.suspend)})


def _options_of(deck: DeckName) -> Action:
    return Action("getDeckConfig", {"deck": deck})


def _update(note: NoteId, fields: Mapping[str, str]) -> Action:
    return Action("updateNoteFields", {"note": {"id": note, "fields": dict(fields)}})


def _moves(changes: Iterable[Change]) -> list[_Deed]:
    """One action for each deck that gets cards; Anki makes the deck."""
    into: dict[DeckName, list[Change]] = {}
    for change in changes:
        if change.move is not None:
            into.setdefault(change.move.deck, []).append(change)
    return [
        _Deed(
            Action(
                "changeDeck",
                {
                    "cards": [c for one in some if one.move is not None for c in one.move.cards],
                    "deck": "::".join(clean_deck(deck)),
                },
            ),
            some,
        )
        for deck, some in into.items()
    ]


def _renewal(wanted: tuple[CardId, Scheduling], change: Change, first: date) -> Action:
    """What gives a card its scheduling, as an import gives it to a new one."""
    number, scheduling = wanted
    kind, queue = anki2.TYPE_AND_QUEUE[scheduling.state]
    values: dict[str, int | None] = {
        "type": kind,
        "queue": queue,
        "ivl": scheduling.interval,
        "factor": scheduling.factor,
        "reps": scheduling.reps,
        "lapses": scheduling.lapses,
        "left": 0,
        "last_review_time": scheduling.last_review,
    }
    if scheduling.state is CardState.REVIEW and scheduling.due is not None:
        values["due"] = (scheduling.due - first).days
    elif scheduling.due_at is not None:
        values["due"] = scheduling.due_at
    if any(card.id == number and card.suspended for card in change.held.cards):
        del values["queue"]
    return Action(
        "setSpecificValueOfCard",
        {
            "card": number,
            "keys": list(values),
            "newValues": list(values.values()),
            "warning_check": True,
        },
    )


# ---------------------------------------------------------------- small things


def _batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _small(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes that go together into one call."""
    some: list[Change] = []
    size = 0
    for change in changes:
        length = sum(len(text.encode()) for text in change.fields.values())
        if some and (len(some) == WRITTEN_AT_ONCE or size + length > LONGEST):
            yield some
            some, size = [], 0
        some.append(change)
        size += length
    if some:
        yield some


def _ids(add: Add) -> list[int]:
    """The ids that a package gives to the cards of a note, in milliseconds since the epoch."""
    return [add.note.created * 1000 + card.ordinal for card in add.note.cards]


def _later(add: Add) -> Add:
    """The same note, made a second later."""
    return replace(add, note=structs.replace(add.note, created=add.note.created + 1))


def _escaped(text: str) -> str:
    """Text in a search, where nothing in it has a meaning."""
    return "".join(f"\\{char}" if char in '\\"*_:' else char for char in text)


def _guids(plan: Plan) -> dict[str, Guid]:
    """GUIDs by what stands for them in the field Id."""
    guids = (*(one.guid for one in plan.planned), *(entry.guid for entry in plan.ledger))
    return {identity.note_id(guid): guid for guid in guids}


def _names_file(error: str | None, file: Path) -> bool:
    """Whether it was the file that Anki did not find: its name is the same in every language."""
    return error is not None and file.name in error


def _digest(item: Media) -> str:
    """The SHA-256 (hex) of a file as it is now; nothing where it cannot be read any more."""
    try:
        with item.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _read(item: Media) -> bytes:
    try:
        return item.file.read_bytes()
    except OSError as error:
        raise Obs2ankiError(
            f"The media file {item.file} cannot be read ({error.strerror}). If it has just been "
            "moved or deleted, run this again."
        ) from error


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _shown_on(item: Media, plan: Plan) -> Place:
    """The first flashcard that shows a file."""
    entries = {entry.guid: entry.question for entry in plan.ledger}
    for note in plan.notes:
        if item.name in note.media:
            return Place(note.path, note.line, entries.get(note.guid, ""))
    return Place(VaultPath(item.name), None, "")
