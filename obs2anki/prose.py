"""A report in sentences for people: a few paragraphs, or one line on a round among many.

    Deck      Flashcards  Cards  New  Reviewed  Due now
    learning          17     17   15         2        2

    The deck is vault.apkg (17 notes, no media, 12.4 KB in all).

Which paragraphs there are, and in which order, `PARTS` says for each way in which a round ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from obs2anki import identity
from obs2anki.build import Outcome, Verdict
from obs2anki.data import CardState, Planned, Severity
from obs2anki.report import DeckRow, Report, new_notes
from obs2anki.terminal import columns, harmless
from obs2anki.wording import Wording, argument, quantity, quoted, took
from obs2anki.yields import CAUSES

MANY_RENAMED = 20
"""More notes than this that changed for one renaming are worth a word, and so are most."""

IMPORTED = (".apkg", ".zip")
"""What the names end in that Anki's import takes for packages."""

LARGE = 1_000_000
"""Media files of at least so many bytes are named."""


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
            f"Anki will update {some}{those}: an import replaces all {their} fields and tags, "
            "your own edits too."
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
        "in Anki's import dialog. That replaces all fields and tags of every note in the deck, "
        "your own edits too."
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
    yield f"  {_key_of(separator)} = {quoted(separator)}"


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
        for note in new_notes(report.outcome)
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


def _key_of(separator: str) -> str:
    """The setting that a separator most likely belongs to: `:::` asks in both directions."""
    thrice = len(separator) == 3 and len(set(separator)) == 1
    return "single_line_reversed" if thrice else "single_line"


# ---------------------------------------------------------------- a round of many


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
            return f"{deck} is not written: there is no flashcard in the vault {why}"
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
