"""A collection of Anki's own engine, to import packages into and to read back from.

    python -m tests.anki_collection < {"imports": [{"package": "deck.apkg", "rollover": 4, ...}]}

As a program it runs in the time zone of the variable TZ, which a process takes up only once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from anki.collection import (
    Collection,
    DeckIdLimit,
    ExportAnkiPackageOptions,
    ImportAnkiPackageOptions,
    ImportAnkiPackageRequest,
)

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import CardId
from anki.dbproxy import DBProxy
from anki.decks import DeckId
from anki.import_export_pb2 import ImportResponse
from anki.scheduler.v3 import CardAnswer, Scheduler
from anki.scheduler_pb2 import SchedulingState, SchedulingStates

DAY = 86400


@dataclass(frozen=True, slots=True)
class Seen:
    """A card as Anki has it."""

    guid: str
    ordinal: int
    deck: str
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    type: int
    queue: int
    due: str
    """A day as ISO text for a review card; else the number that Anki keeps."""
    interval: int
    factor: int
    reps: int
    lapses: int
    last_review: int | None
    memory: tuple[float, float] | None
    """FSRS stability and difficulty, as Anki would use them for the next answer."""


@dataclass(frozen=True, slots=True)
class Import:
    """A package, and the collection that it goes into."""

    package: str
    rollover: int
    age: int
    """Days since the collection was made."""
    moments: tuple[int, ...] = ()
    """Seconds since the epoch at which to ask which decks have a card in learning to show."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a collection holds after an import."""

    cards: tuple[Seen, ...]
    complaints: tuple[str, ...]
    learning: tuple[tuple[str, ...], ...]
    """By moment: the decks that have a card in learning to show."""


# ---------------------------------------------------------------- a collection


@contextmanager
def collection(
    folder: Path, *, fsrs: bool = True, rollover: int = 4, age: int = 0
) -> Iterator[Collection]:
    """The collection in `folder`, made `age` days ago if it is not there yet."""
    path = folder / "collection.anki2"
    if not path.exists():
        made = Collection(str(path))
        created = made.crt - age * DAY
        made.set_config("fsrs", fsrs)
        made.set_config("rollover", rollover)
        # As Anki sets it: minutes west of UTC on the day on which a collection is made.
        made.set_config("creationOffset", -time.localtime(created).tm_gmtoff // 60)
        _db(made).execute("update col set crt = ?", created)
        made.close()
    opened = Collection(str(path))
    try:
        yield opened
    finally:
        opened.close()


def _db(col: Collection) -> DBProxy:
    assert col.db is not None
    return col.db


def _scheduler(col: Collection) -> Scheduler:
    assert isinstance(col.sched, Scheduler)
    return col.sched


def bring(
    col: Collection, package: Path, *, scheduling: bool = True, presets: bool = False
) -> ImportResponse.Log:
    """Import a package as Anki's File > Import does, with "Import any learning progress" on."""
    options = ImportAnkiPackageOptions(with_scheduling=scheduling, with_deck_configs=presets)
    request = ImportAnkiPackageRequest(package_path=str(package), options=options)
    return col.import_anki_package(request).log


def export(col: Collection, package: Path, deck: str, *, legacy: bool) -> None:
    """Export a deck with its scheduling, as Anki does; `legacy` is for older Ankis."""
    options = ExportAnkiPackageOptions(with_scheduling=True, with_media=True, legacy=legacy)
    limit = DeckIdLimit(DeckId(col.decks.id_for_name(deck) or 0))
    col.export_anki_package(out_path=str(package), options=options, limit=limit)


def cards(col: Collection) -> tuple[Seen, ...]:
    """Every card, by GUID and ordinal."""
    rows = _db(col).all("select c.id from cards c join notes n on n.id = nid order by guid, ord")
    return tuple(_seen(col, CardId(card_id)) for (card_id,) in rows)


def card(col: Collection, guid: str, ordinal: int = 0) -> Seen:
    """One card."""
    return _seen(col, _card_id(col, guid, ordinal))


def _seen(col: Collection, card_id: CardId) -> Seen:
    card = col.get_card(card_id)
    note = card.note()
    data = json.loads(_db(col).scalar("select data from cards where id = ?", card_id) or "{}")
    return Seen(
        note.guid,
        card.ord,
        col.decks.name(card.did),
        tuple(note.tags),
        tuple(note.fields),
        card.type,
        card.queue,
        _day(col, card.due).isoformat() if card.queue == 2 else str(card.due),
        card.ivl,
        card.factor,
        card.reps,
        card.lapses,
        data.get("lrt"),
        _memory(states(col, note.guid, card.ord).current),
    )


def everything(col: Collection) -> list[Sequence[Sequence[object]]]:
    """All rows of notes, cards, decks and notetypes, bookkeeping of changes included."""
    tables = ("notes", "cards", "revlog", "graves", "decks", "notetypes", "fields", "templates")
    return [_db(col).all(f"select * from {table} order by 1, 2") for table in tables]


def rendered(col: Collection, guid: str, ordinal: int) -> tuple[str, str]:
    """What a card asks and what it answers, as HTML."""
    output = col.get_card(_card_id(col, guid, ordinal)).render_output()
    return output.question_text, output.answer_text


def today(col: Collection) -> date:
    """Anki's day: the calendar's, but for the hours before the rollover."""
    hours = timedelta(hours=col.get_config("rollover", 4))
    return (datetime.fromtimestamp(time.time()) - hours).date()


def _day(col: Collection, due: int) -> date:
    """The day that a number of days since the collection was made means to its user."""
    return today(col) + timedelta(days=due - col.sched.today)


def _memory(state: SchedulingState) -> tuple[float, float] | None:
    kind = state.normal.WhichOneof("kind")
    if kind == "relearning":
        memory = state.normal.relearning.review.memory_state
    elif kind == "learning":
        memory = state.normal.learning.memory_state
    else:
        memory = state.normal.review.memory_state
    if not memory.stability:
        return None
    return round(memory.stability, 3), round(memory.difficulty, 2)


# ---------------------------------------------------------------- answering


def _card_id(col: Collection, guid: str, ordinal: int = 0) -> CardId:
    found = _db(col).scalar(
        "select c.id from cards c join notes n on n.id = nid where guid = ? and ord = ?",
        guid,
        ordinal,
    )
    return CardId(found)


def states(col: Collection, guid: str, ordinal: int = 0) -> SchedulingStates:
    """What each answer button would make of a card."""
    return col._backend.get_scheduling_states(_card_id(col, guid, ordinal))


def answer_good(col: Collection, guid: str, ordinal: int = 0) -> Seen:
    """The card after "Good"."""
    return _answer(col, guid, ordinal, CardAnswer.GOOD)


def answer_again(col: Collection, guid: str, ordinal: int = 0) -> Seen:
    """The card after "Again"."""
    return _answer(col, guid, ordinal, CardAnswer.AGAIN)


def _answer(col: Collection, guid: str, ordinal: int, rating: CardAnswer.Rating.V) -> Seen:
    # Anki reads the clock for the card and again for the log; where a second ends in between,
    # its own Check Database finds that they differ.
    if (left := 1 - time.time() % 1) < 0.2:
        time.sleep(left)
    card = col.get_card(_card_id(col, guid, ordinal))
    card.start_timer()
    chosen = states(col, guid, ordinal)
    _scheduler(col).answer_card(
        _scheduler(col).build_answer(card=card, states=chosen, rating=rating)
    )
    return _seen(col, card.id)


def queued(col: Collection, deck: str) -> list[str]:
    """GUIDs of the cards that Anki would show now in a deck."""
    col.decks.select(DeckId(col.decks.id_for_name(deck) or 0))
    return [
        col.get_card(CardId(entry.card.id)).note().guid
        for entry in _scheduler(col).get_queued_cards(fetch_limit=1000).cards
    ]


def decks_in_learning(col: Collection, moment: int) -> tuple[str, ...]:
    """Decks with a card in learning to show at `moment`."""
    tree = col._backend.deck_tree(now=moment)
    return tuple(node.name for node in tree.children if node.learn_count)


def complaints(col: Collection) -> tuple[str, ...]:
    """All that Anki would mend or delete: Check Database, Empty Cards, Check Media."""
    schema = "select scm from col"
    before = _db(col).scalar(schema)
    found = list(col._backend.check_database())
    if _db(col).scalar(schema) != before:
        found.append("the next sync has to go one way")
    found += [f"empty cards: {note}" for note in col.get_empty_cards().notes]
    media = col.media.check()
    found += [f"missing media: {name}" for name in media.missing]
    found += [f"unused media: {name}" for name in media.unused]
    return tuple(found)


# ---------------------------------------------------------------- in another time zone


def imports_in(zone: str, *imports: Import) -> list[Outcome]:
    """What each import gives on a machine in `zone`; a process of its own, as TZ needs."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.anki_collection"],
        input=json.dumps({"zone": zone, "imports": [asdict(wanted) for wanted in imports]}),
        env=os.environ | {"TZ": zone},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return [
        Outcome(
            tuple(_seen_again(seen) for seen in outcome["cards"]),
            tuple(outcome["complaints"]),
            tuple(map(tuple, outcome["learning"])),
        )
        for outcome in json.loads(child.stdout)
    ]


def _seen_again(values: dict[str, object]) -> Seen:
    """A card that was JSON in between, where a tuple is a list."""
    named = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    return Seen(**named)  # type: ignore[arg-type]  # it was made by asdict, on the other side


def _outcome(wanted: Import) -> Outcome:
    with (
        tempfile.TemporaryDirectory() as folder,
        collection(Path(folder), rollover=wanted.rollover, age=wanted.age) as col,
    ):
        bring(col, Path(wanted.package))
        return Outcome(
            cards(col),
            complaints(col),
            tuple(decks_in_learning(col, moment) for moment in wanted.moments),
        )


def _main() -> None:
    job = json.load(sys.stdin)
    now = datetime.now(UTC)
    local, meant = now.astimezone(), now.astimezone(ZoneInfo(job["zone"]))
    assert local.utcoffset() == meant.utcoffset(), f"this machine does not know {job['zone']}"
    imports = (Import(**wanted) for wanted in job["imports"])
    json.dump([asdict(_outcome(wanted)) for wanted in imports], sys.stdout)


if __name__ == "__main__":
    _main()
