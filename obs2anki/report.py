"""What the user is told after a round: what changed, what is in the deck, what was left behind.

    Deck      Flashcards  Cards  New  Reviewed  Due now
    learning          17     17   15         2        2

    The deck is vault.apkg (17 notes, no media, 12.4 KB in all).

`of` works it all out from an outcome, `text` says it to people, `as_json` to programs.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import groupby
from pathlib import Path

from msgspec import structs

from obs2anki import identity, vault
from obs2anki.ankitext import deck_key
from obs2anki.build import Outcome, Verdict
from obs2anki.data import (
    Card,
    CardState,
    DeckName,
    Diagnostic,
    LeftBehind,
    Note,
    Plan,
    Planned,
    Severity,
    VaultPath,
)
from obs2anki.schedule import LONGEST_INTERVAL
from obs2anki.settings import Problem, Settings
from obs2anki.terminal import columns, harmless, painted
from obs2anki.yields import CAUSES, REMEDIES

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""

BACKLOG = 200
"""Reviews a day: the limit in Anki's default preset."""

MANY_LATE = 20
LATE_SHARE = 0.2
"""So many cards, and such a part of all reviewed ones, are worth a word about FSRS."""

MANY_RENAMED = 20
"""More notes than this that changed for one renaming are worth a word, and so are most."""

IMPORTED = (".apkg", ".zip")
"""What the names end in that Anki's import takes for packages."""

LARGEST = 3
LARGE = 1_000_000
"""So many media files of at least so many bytes are named."""

ORPHAN_SHARE = 0.05
"""More orphans than this among all reviews mean a separator that is not in force."""


# ---------------------------------------------------------------- what there is to tell


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
    new = _new_notes(outcome)
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


def _new_notes(outcome: Outcome) -> Sequence[Note]:
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
            remedy=REMEDIES[cause].format(separator=_quoted(_separator(group) or "...")),
        )
        for cause, group in by_cause.items()
    ]
    return tuple(sorted(causes, key=lambda cause: -cause.reviews))


def _separator(items: Iterable[LeftBehind]) -> str | None:
    """What stands above most of these reviews like a separator."""
    counted = Counter(item.separator for item in items if item.separator is not None)
    return counted.most_common(1)[0][0] if counted else None


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
    """The separator that is missing, if many reviews were left behind for one of these causes."""
    orphans = [item for item in plan.left_behind if item.cause in causes]
    if not orphans:
        return None
    left = sum(item.reviews for item in plan.left_behind)
    kept = sum(r is not None for p in plan.planned for r in p.flashcard.reviews)
    if sum(item.reviews for item in orphans) <= ORPHAN_SHARE * (left + kept):
        return None
    known = {separator for separator, _ in in_force.grammar.inline}
    return _separator(item for item in orphans if item.separator not in known)


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


# ---------------------------------------------------------------- to people


@dataclass(frozen=True, slots=True)
class Wording:
    """What the sentences need to know besides the report."""

    prefix: str
    """Leads from the working folder to the vault; empty = it is the working folder."""
    vault: str
    """The vault as the user wrote it."""

    def place(self, path: VaultPath, line: int | None = None) -> str:
        """A path of the vault as seen from the working folder, with its line."""
        shown = self.file(path)
        return shown if line is None else f"{shown}:{line}"

    def file(self, path: VaultPath) -> str:
        """A path of the vault as seen from the working folder; `.` is the vault itself."""
        return harmless(self.prefix + path if path != "." else self.prefix.rstrip("/") or ".")


def text(report: Report, wording: Wording) -> str:
    """The report as a few paragraphs; empty if there is nothing to say."""
    paragraphs = ("\n".join(part(report, wording)) for part in PARTS[report.outcome.verdict])
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _changes(report: Report, _: Wording) -> Iterator[str]:
    """What differs from the deck that was there, on a re-export."""
    delivery = report.outcome.delivery
    if delivery is None or not delivery.changed + delivery.gone + delivery.unchanged:
        return
    counts = (
        f"{delivery.added:,} added, {delivery.changed:,} changed, "
        f"{delivery.gone:,} gone, {delivery.unchanged:,} unchanged."
    )
    yield f"Notes since the last export: {counts}"
    if delivery.written and not delivery.added + delivery.changed + delivery.gone:
        yield _filled(
            "No note differs, but decks, review dates, notetypes or media do. Of the cards that it "
            "has, Anki keeps its own decks and dates."
        )
    yield from _renamings(report, delivery.changed)
    if delivery.changed:
        yield from _updates(report, delivery.changed)
    if delivery.gone and not report.outcome.round.plan.left:
        it = "it" if delivery.gone == 1 else "them"
        those = _those(delivery.gone, "note")
        yield f"  Anki keeps {those} that {_are(delivery.gone)} gone until you delete {it}."


def _renamings(report: Report, changed: int) -> Iterator[str]:
    """A cause that many changes, or most of them, have in common."""
    for renamed in report.outcome.round.plan.renamed:
        if renamed.notes > MANY_RENAMED or renamed.notes > changed / 2:
            kind = "document" if renamed.old.lower().endswith(".md") else "folder"
            yield (
                f"  {quantity(renamed.notes, 'note')} changed only because the {kind} "
                f"{harmless(renamed.old)} is now {harmless(renamed.new)}."
            )


def _updates(report: Report, changed: int) -> Iterator[str]:
    """What an import does about the notes that changed."""
    round_ = report.outcome.round
    those, updates = _those(changed, "changed note"), report.anki_updates
    if updates:
        some, their = f"{updates:,} of " if updates < changed else "", _their(updates)
        yield _filled(
            f"Anki will update {some}{those}: an import replaces {their} text, tags and spare "
            "fields, your own edits too."
        )
        return
    if round_.remembers:
        yield _filled(
            f"Anki will update none of them: no flashcard changed, only {_their(changed)} deck, "
            "the vault's name, or what obs2anki makes of it. Of the cards that it has, Anki keeps "
            "its own decks."
        )
        return
    if round_.ledger is not None:
        why = "the ledger begins with this export and knows of no earlier change."
    elif round_.stateless:
        why = "without the ledger (--stateless) a deck adds notes and never overwrites any."
    else:
        why = "a vault that is read-only takes no ledger, and so a deck never overwrites a note."
    yield _filled(
        f"Anki will update none of them: {why} To take over {those}, choose Update notes: Always "
        "in Anki's import dialog. That replaces text, tags and spare fields of every note in the "
        "deck, your own edits too."
    )


def _left(report: Report, wording: Wording) -> Iterator[str]:
    """Flashcards that have left since the last export: their notes stay in Anki."""
    left = len(report.outcome.round.plan.left)
    if left:
        have, their = ("has", "its note") if left == 1 else ("have", "their notes")
        yield (
            f"{quantity(left, 'flashcard')} {have} left the vault. "
            f"An import cannot delete {their}:\n"
            f"  obs2anki list {argument(wording.vault)} --gone\n"
            "shows what has left, and how to find it in Anki."
        )


def _forgotten(report: Report, wording: Wording) -> Iterator[str]:
    """That the ledger of a deck seems to be lost."""
    sentences, _, command = forgotten(report.outcome, wording.vault).partition("\n")
    if sentences:
        yield from (_filled(sentences, "", ""), command)


def forgotten(outcome: Outcome, named: str) -> str:
    """What to know where there was a deck, but no ledger; empty where nothing is missed.

    A line, and a command below it. `named` is the vault as the user wrote it.
    """
    round_, delivery = outcome.round, outcome.delivery
    if delivery is None or not delivery.gone or round_.ledger is None or round_.remembers:
        return ""
    if outcome.verdict is Verdict.PREVIEWED:
        rebuild, source = "or rebuild it", argument(str(round_.deck))
    else:
        rebuild = "or move the new one away and rebuild it"
        source = "path/to/collection.anki2"
    return (
        "The deck was there, but no ledger. So nobody knows what became of "
        f"{quantity(delivery.gone, 'note')} that it held: a flashcard that was reworded is a new "
        "note now. If the ledger was lost, bring it back (from git or a backup) and export again "
        f"before you import the deck; {rebuild}:\n  obs2anki adopt {argument(named)} {source}"
    )


def _ledger(report: Report, _: Wording) -> Iterator[str]:
    """Where the ledger is, when it has just begun, or why there is none."""
    round_ = report.outcome.round
    if round_.ledger is not None and not round_.remembers:
        yield f"The ledger is {harmless(str(round_.ledger))}."
        yield "Keep it with the vault (commit or sync it): it knows flashcards again after an edit."
    elif round_.stateless:
        yield "Without the ledger (--stateless) what you reword becomes a new note."
        if same := _sharing_a_question(round_.plan.planned):
            yield _filled(
                f"{same:,} flashcards share their question with another and are told apart by "
                "their order: one that is added above takes over the note of the next."
            )
    elif round_.ledger is None and round_.remembers:
        yield f"The ledger {harmless(str(report.place_of_ledger))} cannot be written,"
        yield "so this export is not remembered. Give yourself the right to write there."
    elif round_.ledger is None:
        yield f"There is no ledger: {harmless(str(report.place_of_ledger))} cannot be written."
        yield "So what you reword becomes a new note. Give yourself the right to write there."


def _sharing_a_question(told: Sequence[Planned]) -> int:
    """How many flashcards have a question that another has too."""
    counted = Counter(identity.key(p.flashcard).question for p in told)
    return sum(count for count in counted.values() if count > 1)


def _table(report: Report, _: Wording) -> Iterator[str]:
    """The deck's cards, deck by deck."""
    if not report.decks:
        return
    rows = [("Deck", "Flashcards", "Cards", "New", "Reviewed", "Due now")]
    rows += (_cells(row) for row in report.decks)
    if len(report.decks) > 1:
        rows.append(_cells(report.total))
    yield from columns(rows, right=range(1, 6))


def _cells(row: DeckRow) -> tuple[str, str, str, str, str, str]:
    cards = (row.flashcards, row.cards, row.new, row.reviewed, row.due)
    first, second, third, fourth, fifth = (f"{number:,}" for number in cards)
    return harmless(row.deck), first, second, third, fourth, fifth


def _left_behind(report: Report, wording: Wording) -> Iterator[str]:
    """Reviews that were not exported, and what would bring them in."""
    if not report.left_behind:
        return
    reviews, documents = report.left_reviews, report.left_documents
    were = "was" if reviews == 1 else "were"
    yield (
        f"Left behind: {quantity(reviews, 'review')} in {quantity(documents, 'document')} "
        f"{were} not exported."
    )
    for cause in report.left_behind:
        yield (
            f"  {quantity(cause.reviews, 'review')}: {CAUSES[cause.cause]}, "
            f"for example {wording.place(cause.path, cause.line)}"
        )
        # A remedy of several lines is there to be copied; what a vault adds to it has one.
        yield from (f"    {harmless(line)}" for line in cause.remedy.split("\n"))
    if report.likely_separator is not None:
        lines = to_name(report.likely_separator, reviews)
        yield from (f"  {line}" for line in lines)


def to_name(separator: str, reviews: int) -> Iterator[str]:
    """What to do about what looks like a separator above many of so many reviews."""
    these = "This review stands" if reviews == 1 else "Many of these reviews stand"
    yield (f"{these} below a line with {harmless(separator)} in it. If that is your separator,")
    yield from ("write in obs2anki.toml:", "  [grammar]")
    yield f"  {_key_of(separator)} = {_quoted(separator)}"


def _nothing(report: Report, wording: Wording) -> Iterator[str]:
    """Why a vault yields nothing, and what happened to a deck that is there."""
    yield f"No flashcards were found in {harmless(wording.vault)}, so no deck was written."
    for reason in report.skipped:
        yield (
            f"  {quantity(reason.documents, 'document')}: {reason.reason.removesuffix('.')}, "
            f"for example {wording.place(reason.path)}"
        )
        if reason.reason == CAUSES["no-tag"]:
            tags = "  ".join(map(harmless, report.outcome.round.settings.grammar.flashcard_tags))
            yield f"    The flashcard tags in force are: {tags or '(none)'}"
    if not report.skipped:
        return  # without documents, no setting is to blame
    grammar = report.outcome.round.settings.grammar
    marks = [separator for separator, _ in grammar.inline]
    marks += [mark for mark in (grammar.multi_line, grammar.multi_line_reversed) if mark]
    shown = "  ".join(harmless(mark) for mark in marks) or "(none)"
    yield f"The separators in force are: {shown}"
    yield f"To see all settings: obs2anki config {argument(wording.vault)}"


def _place(report: Report, _: Wording) -> Iterator[str]:
    """Where the deck is, how big, and what to do with it."""
    outcome, deck = report.outcome, harmless(str(report.outcome.round.deck))
    size = outcome.delivery.size if outcome.delivery is not None else 0
    holds = f"{quantity(len(outcome.round.plan.notes), 'note')}, {_media(outcome)}"
    match outcome.verdict:
        case Verdict.WRITTEN:
            yield f"The deck is {deck} ({holds}, {_bytes(size)} in all)."
            if not deck.lower().endswith(IMPORTED):
                yield "Anki imports it only under a name that ends in .apkg, so rename it first."
        case Verdict.UNCHANGED:
            yield f"{deck} holds all of this already, so it was left alone ({_bytes(size)})."
        case Verdict.PREVIEWED:
            yield f"Nothing was written (--dry-run). The deck would be {deck} ({holds})."
        case Verdict.UP_TO_DATE:
            yield f"{deck} is up to date."
        case Verdict.OUT_OF_DATE:
            how = "is out of date" if size else "does not exist yet"
            yield f"{deck} {how}. To write it, give the same command without --check."
        case Verdict.REFUSED:
            yield f"Nothing was written: --strict was given, and there {_findings(outcome)}."


def _large_and_online(report: Report, _: Wording) -> Iterator[str]:
    """What makes the deck large, and what is not in it."""
    plan = report.outcome.round.plan
    if large := [(file, size) for file, size in report.largest if size >= LARGE]:
        told = ", ".join(f"{harmless(file)} ({_bytes(size)})" for file, size in large)
        yield _filled(f"Largest media: {told}.", "", "")
    if plan.online:
        it, them = ("it", "it") if len(plan.online) == 1 else ("they", "them")
        yield _filled(
            f"{quantity(len(plan.online), 'image or sound', 'images or sounds')} of the web "
            f"{_are(len(plan.online))} not in the deck: {it} can be seen or heard only with a "
            "connection.",
            "",
            "",
        )
        if not report.outcome.round.settings.media.download:
            yield f"To fetch {them}, write in obs2anki.toml:"
            yield "    [media]"
            yield "    download = true"


def _import(report: Report, _: Wording) -> Iterator[str]:
    """The one thing to know, if the deck brings reviews that Anki does not have."""
    if any(
        card.scheduling.state is not CardState.NEW
        for note in _new_notes(report.outcome)
        for card in note.cards
    ):
        yield 'In Anki, choose File > Import and tick "Import any learning progress":'
        yield "without it every card starts as new."


def _advice(report: Report, _: Wording) -> Iterator[str]:
    """What to do in Anki before the first review."""
    if report.advice:
        yield "Before your first review in Anki:"
    for advice in report.advice:
        yield _filled(harmless(advice.text), "  - ", "    ")


Part = Callable[[Report, Wording], Iterator[str]]

PARTS: dict[Verdict, tuple[Part, ...]] = {
    Verdict.WRITTEN: (
        *(_changes, _left, _table, _left_behind, _place, _large_and_online),
        *(_ledger, _forgotten, _import, _advice),
    ),
    Verdict.UNCHANGED: (_changes, _left, _table, _left_behind, _place, _ledger, _advice),
    Verdict.PREVIEWED: (
        *(_changes, _left, _table, _left_behind, _place, _large_and_online),
        *(_forgotten, _advice),
    ),
    Verdict.UP_TO_DATE: (_place,),
    Verdict.OUT_OF_DATE: (_changes, _left, _place),
    Verdict.EMPTY: (_left_behind, _nothing),
    Verdict.REFUSED: (_table, _left_behind, _place),
}
"""What is told of each outcome, in this order."""


def quantity(number: int, noun: str, nouns: str = "") -> str:
    """`1 review`, `2 reviews`; `nouns` is the plural where `s` does not make it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"


def _those(number: int, noun: str) -> str:
    """`the changed note`, `the 2 changed notes`."""
    return f"the {noun}" if number == 1 else f"the {number:,} {noun}s"


def _their(number: int) -> str:
    return "its" if number == 1 else "their"


def _filled(text: str, first: str = "  ", rest: str = "  ") -> str:
    """Text in lines that are easy to read."""
    from textwrap import fill

    return fill(
        text,
        width=92,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _bytes(size: int) -> str:
    """A size in units that people use."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _media(outcome: Outcome) -> str:
    media = outcome.round.plan.media
    if not media:
        return "no media"
    return f"{quantity(len(media), 'media file')} of {_bytes(sum(item.size for item in media))}"


def _findings(outcome: Outcome) -> str:
    """`is 1 warning`, `are 1 error and 2 warnings`."""
    counted = Counter(diagnostic.severity for diagnostic in outcome.round.plan.diagnostics)
    kinds = ((Severity.ERROR, "error"), (Severity.WARNING, "warning"))
    are = "is" if sum(counted[severity] for severity, _ in kinds) == 1 else "are"
    return f"{are} " + " and ".join(quantity(counted[s], noun) for s, noun in kinds if counted[s])


def _quoted(text: str) -> str:
    """Text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def argument(text: str) -> str:
    """Text as a shell takes it."""
    return harmless(shlex.quote(text))


def _key_of(separator: str) -> str:
    """The setting that a separator most likely belongs to: `:::` asks in both directions."""
    thrice = len(separator) == 3 and len(set(separator)) == 1
    return "single_line_reversed" if thrice else "single_line"


# ---------------------------------------------------------------- a round of many

FEW_FILES = 3
"""So many files are named; of more, only their number is told."""


def line(outcome: Outcome, changed: Sequence[str], seconds: float, first: bool) -> str | None:
    """One line on a round among many; None where it did nothing worth a word.

        deck.apkg: 1 added, 2 updated, 0 left (Cells.md; 0.24 s)

    `changed` are the files that made the round due, `first` says whether there was no good
    round before it.
    """
    deck, delivery = harmless(str(outcome.round.deck)), outcome.delivery
    why = took(changed, seconds)
    match outcome.verdict:
        case Verdict.EMPTY:
            there = "is left as it is" if outcome.round.deck.exists() else "is not written"
            return f"{deck} {there}: there is no flashcard in the vault {why}"
        case Verdict.WRITTEN if delivery is not None:
            counts = (delivery.added, delivery.changed, delivery.gone)
            if not any(counts):
                return f"{deck}: no note differs, but decks, dates, notetypes or media do {why}"
            added, updated, left = (f"{count:,}" for count in counts)
            return f"{deck}: {added} added, {updated} updated, {left} left {why}"
    return f"{deck} is up to date {why}" if first else None


def on_the_ledger(outcome: Outcome, named: str, first: bool) -> str:
    """What is to be known of the ledger after one round among many; mostly nothing.

    `named` is the vault as the user wrote it, `first` says whether there was no good round before.
    """
    if first and outcome.round.ledger is None:
        place = harmless(str(outcome.round.root / outcome.round.settings.ledger))
        return (
            f"The ledger {place} cannot be written, so nothing is remembered. "
            "Give yourself the right to write there."
        )
    return forgotten(outcome, named)


def took(changed: Sequence[str], seconds: float) -> str:
    """Why a round was made and how long it took: `(Cells.md; 0.24 s)`."""
    files = [harmless(path) for path in changed]
    where = ", ".join(files) if len(files) <= FEW_FILES else quantity(len(files), "file")
    return f"({where}; {seconds:.2f} s)" if where else f"({seconds:.2f} s)"


# ---------------------------------------------------------------- findings


NOT_IN_TEXT = frozenset({"O406", "O605"})
"""Infos for those who look for them: the paragraph on what was left behind sums up the first, and
of dead links, which Obsidian allows for what is not written yet, a vault may have thousands."""


def worth_a_line(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings that people are told beside a report or a list."""
    return (found for found in diagnostics if found.code not in NOT_IN_TEXT)


def findings(diagnostics: Iterable[Diagnostic], wording: Wording, colour: bool) -> Iterator[str]:
    """Each finding on a line, `path:line:column: CODE sentence`, its remedy below.

    Of several in a row with one remedy, it stands below the last: in a large vault there may be
    hundreds.
    """
    for _, alike in groupby(diagnostics, lambda found: (found.code, found.hint)):
        for found in alike:
            code = painted(found.code, found.severity) if colour else found.code
            place = f"{wording.place(found.path, found.line)}:{found.column}"
            yield f"{place}: {code} {harmless(found.message)}"
        yield from (f"    {line}" for line in _remedy(found))


def _remedy(found: Diagnostic) -> Iterator[str]:
    """The lines of a remedy: a sentence, and what is to be pasted."""
    return map(harmless, found.hint.split("\n")) if found.hint else iter(())


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def workflow_commands(diagnostics: Iterable[Diagnostic], wording: Wording) -> Iterator[str]:
    """Each finding as a workflow command of GitHub, which shows it beside the line."""
    for found in diagnostics:
        place = _property(wording.file(found.path))
        said = "\n".join((harmless(found.message), *_remedy(found)))
        yield (
            f"::{_LEVELS[found.severity]} file={place},line={found.line},col={found.column},"
            f"title={found.code}::{_data(said)}"
        )


def commands_of(problems: Iterable[Problem]) -> Iterator[str]:
    """Settings that cannot be used, as workflow commands; paths start in the working folder."""
    for problem in problems:
        place = _property(harmless(problem.origin))
        said = f"{harmless(problem.sentence)}\n{harmless(problem.remedy)}"
        yield f"::error file={place},line={problem.line or 1}::{_data(said)}"


def _data(value: str) -> str:
    """Text as a workflow command carries it."""
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    """Text as a property of a workflow command carries it."""
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def unobeyed(text: str) -> str:
    """`text` without a line that GitHub would take for a command."""
    return "\n".join(
        f"| {line}" if line.lstrip().startswith(("::", "##[")) else line
        for line in text.split("\n")
    )


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
