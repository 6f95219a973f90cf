"""What there is to tell after a round: what changed, what is in the deck, what was left behind.

    Outcome(round, "written", Delivery(added=17, ...))
    ->  Report(decks=(DeckRow("learning", flashcards=17, cards=17, new=15, ...),), advice=(...))

`of` works it all out from an outcome, `as_json` says it to programs; `prose` says it to people.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from msgspec import structs

from obs2anki import vault
from obs2anki.ankitext import deck_key
from obs2anki.build import Outcome, Verdict
from obs2anki.data import (
    Card,
    CardState,
    DeckName,
    LeftBehind,
    Note,
    Plan,
    VaultPath,
)
from obs2anki.schedule import LONGEST_INTERVAL
from obs2anki.settings import Settings
from obs2anki.wording import quoted
from obs2anki.yields import REMEDIES

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""

BACKLOG = 200
"""Reviews a day: the limit in Anki's default preset."""

MANY_LATE = 20
LATE_SHARE = 0.2
"""So many cards, and such a part of all reviewed ones, are worth a word about FSRS."""

LARGEST = 3
"""So many media files are told of, the largest first."""

ORPHAN_SHARE = 0.05
"""More orphans than this among all reviews mean a separator that is not in force."""


@dataclass(slots=True)
class DeckRow:
    """A row of the table by deck."""

    deck: DeckName
    flashcards: int = 0
    cards: int = 0
    new: int = 0
    reviewed: int = 0
    due: int = 0
    """Cards due now that were not delivered before; Anki knows better about the others."""
    since: date | None = None
    """The oldest due date among those."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Reviews that were left behind for one cause."""

    cause: str
    """A key of `yields.CAUSES`."""
    reviews: int
    documents: int
    path: VaultPath
    """An example, with its line."""
    line: int
    remedy: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Documents that gave no flashcard for one reason."""

    reason: str
    documents: int
    path: VaultPath
    """An example."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to do in Anki before the first review."""

    about: str
    """`backlog`, `maximum-interval` or `fsrs`."""
    text: str
    deck: str | None = None
    cards: int | None = None
    since: date | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the user is told of an outcome."""

    outcome: Outcome
    decks: tuple[DeckRow, ...]
    left_behind: tuple[Cause, ...]
    left_documents: int
    """How many documents hold the reviews that were left behind."""
    skipped: tuple[Reason, ...]
    likely_separator: str | None
    """What looks like a separator above so many orphans that it may well be one."""
    advice: tuple[Advice, ...] = field(default=())

    @property
    def anki_updates(self) -> int:
        """How many notes an import overwrites in Anki: those that the ledger saw change."""
        delivery, round_ = self.outcome.delivery, self.outcome.round
        return delivery.newer if delivery is not None and round_.remembers else 0

    @property
    def place_of_ledger(self) -> Path:
        """Where the settings want the ledger."""
        return self.outcome.round.root / self.outcome.round.settings.ledger

    @property
    def total(self) -> DeckRow:
        """The last row of the table."""
        total = DeckRow(DeckName("all"))
        for row in self.decks:
            total.flashcards += row.flashcards
            total.cards += row.cards
            total.new += row.new
            total.reviewed += row.reviewed
            total.due += row.due
        return total

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The largest media files and their bytes, in the vault's terms where they lie there."""
        root, media = self.outcome.round.root, self.outcome.round.plan.media
        return [
            (m.file.relative_to(root).as_posix() if m.file.is_relative_to(root) else m.name, m.size)
            for m in sorted(media, key=lambda m: (-m.size, m.name))[:LARGEST]
        ]

    @property
    def left_reviews(self) -> int:
        """How many reviews were left behind."""
        return sum(cause.reviews for cause in self.left_behind)


def of(outcome: Outcome) -> Report:
    """Work out what there is to tell."""
    plan, today = outcome.round.plan, outcome.round.today
    new = new_notes(outcome)
    rows = _deck_rows(plan.notes, new, today)
    decks = tuple(sorted(rows, key=lambda row: vault.order(row.deck.replace("::", "/"))))
    return Report(
        outcome=outcome,
        decks=decks,
        left_behind=_causes(plan.left_behind),
        left_documents=len({item.path for item in plan.left_behind}),
        skipped=_reasons(outcome),
        likely_separator=likely_separator(plan, outcome.round.settings),
        advice=(*_backlog(decks), *_maximum_interval(outcome, new), *_fsrs(new, today)),
    )


def again(told: Report, outcome: Outcome) -> Report:
    """What `of` would work out where the notes of `told` were delivered once more: none is new."""
    decks = tuple([replace(row, due=0, since=None) for row in told.decks])
    return replace(told, outcome=outcome, decks=decks, advice=())


def new_notes(outcome: Outcome) -> Sequence[Note]:
    """What the destination had not been given before, as far as that is known."""
    notes, delivery = outcome.round.plan.notes, outcome.delivery
    if delivery is None:
        return notes
    given = delivery.new_guids
    return [note for note in notes if note.guid in given] if given else ()


def _deck_rows(notes: Sequence[Note], new: Sequence[Note], today: date) -> Iterable[DeckRow]:
    """A row for each deck, which counts all its notes, and what is due of the new ones."""
    flashcards = Counter([note.deck for note in notes])
    cards = Counter([(note.deck, card.scheduling.state) for note in notes for card in note.cards])
    by_key: dict[tuple[str, ...], DeckRow] = {}
    # Names that Anki takes for one have one row, as they have one deck.
    rows = {deck: by_key.setdefault(deck_key(deck), DeckRow(deck)) for deck in flashcards}
    for deck, count in flashcards.items():
        rows[deck].flashcards += count
    for (deck, state), count in cards.items():
        row = rows[deck]
        row.cards += count
        if state is CardState.NEW:
            row.new += count
        else:
            row.reviewed += count
    for note in new:
        for card in note.cards:
            due = card.scheduling.due
            if due is not None and due <= today:
                row = rows[note.deck]
                row.due += 1
                row.since = min(due, row.since or due)
    return by_key.values()


def _causes(items: Sequence[LeftBehind]) -> tuple[Cause, ...]:
    """The causes, that of most reviews first."""
    by_cause: defaultdict[str, list[LeftBehind]] = defaultdict(list)
    for item in items:
        by_cause[item.cause].append(item)
    causes = [
        Cause(
            cause=cause,
            reviews=sum(item.reviews for item in group),
            documents=len({item.path for item in group}),
            path=group[0].path,
            line=group[0].line,
            remedy=REMEDIES[cause].format(separator=quoted(_separator_of_most(group) or "...")),
        )
        for cause, group in by_cause.items()
    ]
    return tuple(sorted(causes, key=lambda cause: -cause.reviews))


def _separator_of_most(items: Sequence[LeftBehind]) -> str | None:
    """What stands above more than half of these reviews like a separator."""
    separator, reviews = _commonest_separator(items)
    return separator if 2 * reviews > sum(item.reviews for item in items) else None


def _commonest_separator(items: Iterable[LeftBehind]) -> tuple[str | None, int]:
    """What stands above the most of these reviews like a separator, and above how many."""
    counted: Counter[str] = Counter()
    for item in items:
        if item.separator is not None:
            counted[item.separator] += item.reviews
    return counted.most_common(1)[0] if counted else (None, 0)


def _reasons(outcome: Outcome) -> tuple[Reason, ...]:
    """Why documents gave no flashcard, the reason of most of them first."""
    first: dict[str, VaultPath] = {}
    counted: Counter[str] = Counter()
    for item in outcome.round.plan.skipped:
        counted[item.reason] += 1
        first.setdefault(item.reason, item.path)
    return tuple(Reason(reason, n, first[reason]) for reason, n in counted.most_common())


def likely_separator(
    plan: Plan, in_force: Settings, causes: Collection[str] = ("orphan",)
) -> str | None:
    """The separator that is missing, if it stands above many reviews left behind for one of these.

    Many are more than ORPHAN_SHARE of all reviews.
    """
    known = {separator for separator, _ in in_force.grammar.inline}
    separator, reviews = _commonest_separator(
        item for item in plan.left_behind if item.cause in causes and item.separator not in known
    )
    left = sum(item.reviews for item in plan.left_behind)
    kept = sum(r is not None for p in plan.planned for r in p.flashcard.reviews)
    return separator if reviews > ORPHAN_SHARE * (left + kept) else None


# ---------------------------------------------------------------- advice, when it applies


def _backlog(decks: Sequence[DeckRow]) -> Iterator[Advice]:
    """Decks, with those below them, in which more is due than Anki shows in a day."""
    due: Counter[tuple[str, ...]] = Counter()
    since: dict[tuple[str, ...], date] = {}
    for row in decks:
        parts = tuple(row.deck.split("::"))
        for depth in range(1, len(parts) + 1):
            deck = parts[:depth]
            due[deck] += row.due
            if row.since is not None:
                since[deck] = min(row.since, since.get(deck, row.since))
    told: set[tuple[str, ...]] = set()
    for deck in sorted(deck for deck, cards in due.items() if cards > BACKLOG):
        if any(deck[:depth] in told for depth in range(1, len(deck))):
            continue
        # A deck that only holds another one: that is the one to name.
        if any(b[:-1] == deck and cards == due[deck] for b, cards in due.items()):
            continue
        told.add(deck)
        name, cards = "::".join(deck), due[deck]
        yield Advice(
            "backlog",
            f"In {name}, {cards:,} cards are due now, the oldest since {since[deck]}. Anki shows "
            "no new cards until the backlog is under the daily limit of reviews (200, unless you "
            "change it in the deck options under Daily limits).",
            deck=name,
            cards=cards,
            since=since[deck],
        )


def _maximum_interval(outcome: Outcome, new: Sequence[Note]) -> Iterator[Advice]:
    """The plugin's longest interval, if Anki's is longer."""
    days = outcome.round.settings.maximum_interval
    if days is not None and days < LONGEST_INTERVAL and new:
        yield Advice(
            "maximum-interval",
            f"The plugin never puts a card off for more than {days:,} days, Anki for up to "
            f"{LONGEST_INTERVAL:,}. To keep your limit, set it in Anki: deck options > Advanced > "
            "Maximum interval.",
            days=days,
        )


def _fsrs(new: Sequence[Note], today: date) -> Iterator[Advice]:
    """Many cards later than their interval: FSRS copes with that, SM-2 does not."""
    reviewed = [
        card for note in new for card in note.cards if card.scheduling.state is CardState.REVIEW
    ]
    late = sum(_is_late(card, today) for card in reviewed)
    if late >= MANY_LATE and late > LATE_SHARE * len(reviewed):
        # Measured: interval 10, 1,113 days late, "Good" gives 4,882 days; with FSRS on, 224.
        yield Advice(
            "fsrs",
            f"{late:,} of {len(reviewed):,} reviewed cards are later than their whole interval. "
            "Turn FSRS on in Anki's deck options first: without it, Anki counts the delay as time "
            "well remembered, and a single Good can send a card years away.",
            cards=late,
        )


def _is_late(card: Card, today: date) -> bool:
    due = card.scheduling.due
    return due is not None and (today - due).days > card.scheduling.interval


# ---------------------------------------------------------------- to programs


def as_json(report: Report) -> str:
    """The report as one JSON object; paths are relative to the vault.

        {"version": 1, "vault": "name", "deck": "name.apkg", "outcome": "written", "size": 12431,
         "ledger": "name/.obs2anki/ledger.jsonl",
         "delivery": {"added": 17, "changed": 0, "gone": 0, "unchanged": 0, "written": true,
                      "anki_updates": 0},
         "gone": 0, "renamed": [{"old": "a", "new": "b", "notes": 57}],
         "decks": [{"deck": "learning", "flashcards": 17, "cards": 17, "new": 15,
                    "reviewed": 2, "due": 2, "since": "2024-04-12"}],
         "media": {"files": 1, "bytes": 1234, "largest": [{"file": "a.png", "bytes": 1234}],
                   "online": 0},
         "left_behind": {"reviews": 1, "documents": 1, "likely_separator": null,
                         "causes": [{"cause": "orphan", "reviews": 1, "documents": 1,
                                     "path": "a.md", "line": 9, "remedy": "..."}]},
         "skipped": [{"reason": "no flashcard tag", "documents": 2, "path": "b.md"}],
         "advice": [{"about": "backlog", "text": "...", "deck": "learning", "cards": 351,
                     "since": "2023-01-05", "days": null}],
         "diagnostics": [{"path": "a.md", "line": 9, "column": 1, "code": "O401",
                          "severity": "warning", "message": "...", "hint": "..."}]}

    `outcome` is one of `build.Verdict`. `delivery` and `size` are null where no deck was written
    or compared, `since` where nothing is due, `ledger` where the run did without. `gone` counts
    the flashcards that have left the vault since the last export, `delivery.gone` the notes that
    the deck held before and does not now.
    """
    outcome = report.outcome
    delivery, plan = outcome.delivery, outcome.round.plan
    return _json(
        {
            "version": VERSION,
            "vault": plan.vault_name,
            "deck": str(outcome.round.deck),
            "outcome": outcome.verdict,
            "size": delivery.size if delivery is not None else None,
            "ledger": None if outcome.round.ledger is None else str(outcome.round.ledger),
            "delivery": None
            if delivery is None
            else {
                "added": delivery.added,
                "changed": delivery.changed,
                "gone": delivery.gone,
                "unchanged": delivery.unchanged,
                "written": outcome.verdict is Verdict.WRITTEN,
                "anki_updates": report.anki_updates,
            },
            "gone": len(plan.left),
            "renamed": [asdict(renamed) for renamed in plan.renamed],
            "decks": [asdict(row) for row in report.decks],
            "media": {
                "files": len(plan.media),
                "bytes": sum(m.size for m in plan.media),
                "largest": [{"file": file, "bytes": size} for file, size in report.largest],
                "online": len(plan.online),
            },
            "left_behind": {
                "reviews": report.left_reviews,
                "documents": report.left_documents,
                "likely_separator": report.likely_separator,
                "causes": [asdict(cause) for cause in report.left_behind],
            },
            "skipped": [asdict(reason) for reason in report.skipped],
            "advice": [asdict(advice) for advice in report.advice],
            "diagnostics": [structs.asdict(found) for found in plan.diagnostics],
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
