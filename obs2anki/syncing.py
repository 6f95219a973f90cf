"""One sync: read the vault, compare it with Anki, show what is to be done, do it.

    sync(Request(vault), Collection(path).session, Terms(...)) -> Synced(round, changes, applied)

Anki is read and compared before anything is written, and what is done is what was shown. The
ledger is saved after that, as after an export: the two can be mixed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from msgspec import structs

from obs2anki import build, cache, identity, reconcile
from obs2anki.build import Request, Round
from obs2anki.data import Diagnostic
from obs2anki.deeds import (
    Add,
    Anki,
    Applied,
    Change,
    Changes,
    Holding,
    Place,
    Removal,
    Verb,
)
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.harvest import Step
from obs2anki.reconcile import NOTHING_MORE, Wishes
from obs2anki.rest import Rest, Said
from obs2anki.terminal import columns, harmless, shortened
from obs2anki.wording import Wording, argument, in_json, quantity, took

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""

MANY = 200
"""Notes; to write more of them, or to suspend or delete more, is a large change."""

SHARE = 10
"""Per cent of a vault's notes in Anki; to suspend or delete more of them is a large change."""

FEW = 10
"""Notes that are suspended unasked, however small the vault: they wake when they come back."""

NOTHING, UNTOUCHED, NONE_HELD = Changes(), Applied(), Holding()

Session = Callable[[], AbstractContextManager[Anki]]
"""Opens an Anki: `Collection(path).session`, say."""

Confirm = Callable[[Changes], bool]
"""Shows a large change and asks whether it is to be done."""


class Ending(StrEnum):
    """How a sync ended."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """Anki followed the vault already, and was not touched."""
    PREVIEWED = "previewed"
    DECLINED = "declined"
    """The user was asked, and said no."""
    EMPTY = "empty"
    """The vault yields nothing, so Anki was not looked at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a sync is to be done."""

    confirm: Confirm
    """Asked about a large change."""
    wishes: Wishes = NOTHING_MORE
    dry_run: bool = False
    deck_options: bool = False
    """Whether Anki's decks get the plugin's maximum interval."""


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync and how it ended."""

    round: Round
    ending: Ending
    changes: Changes = NOTHING
    diagnostics: tuple[Diagnostic, ...] = ()
    """Of the vault, then of what Anki holds."""
    applied: Applied = UNTOUCHED
    strangers: int = 0
    """Notes with this vault's namespace that neither the vault nor its ledger knows."""
    holding: Holding = NONE_HELD
    """What Anki held before it was written."""

    @property
    def asks(self) -> bool:
        """Whether Anki was left as it is because nobody has agreed to so large a change."""
        return self.ending is Ending.DECLINED

    @property
    def refusal(self) -> Obs2ankiError | None:
        """What Anki would not do, as an error; None = it did all."""
        if not self.applied.refused:
            return None
        told = (f"{place.path}:{place.line or 1}: {why}" for place, why in self.applied.refused)
        return Obs2ankiError("\n".join(("Anki has not taken all of it.", *told)))


def sync(
    request: Request, session: Session, terms: Terms, step: Step = lambda documents: documents
) -> Synced:
    """Have Anki follow the vault of `request`.

    Raises Obs2ankiError where the vault or Anki cannot be read or written; then Anki is as it
    was, or as `deeds.Anki.apply` says.
    """
    return build.run(request, lambda round_: follow(round_, session, terms), step)


def follow(round_: Round, session: Session, terms: Terms) -> Synced:
    """Have Anki follow a vault that was read already. Raises what `sync` raises."""
    plan = round_.plan
    if not plan.notes:
        return Synced(round_, Ending.EMPTY, diagnostics=plan.diagnostics)
    wishes = _wishes(round_, terms)
    with session() as anki:
        holding = anki.read(plan.namespace)
        known = round_.known.entries if round_.known is not None else ()
        changes, found = reconcile.changes(plan, holding, known, wishes)
        diagnostics = (*plan.diagnostics, *found)
        ending, applied, announced = Ending.UNCHANGED, UNTOUCHED, None
        if terms.dry_run:
            ending = Ending.PREVIEWED
        elif is_large(changes, holding) and not terms.confirm(changes):
            ending = Ending.DECLINED
        elif changes.writes:
            announced = build.announce(round_)
            applied = anki.apply(changes, plan)
            ending = Ending.WRITTEN
    if ending in (Ending.WRITTEN, Ending.UNCHANGED):
        build.remember(round_, announced)
    strangers = _strangers(round_, holding)
    return Synced(round_, ending, changes, diagnostics, applied, strangers, holding)


def _wishes(round_: Round, terms: Terms) -> Wishes:
    if not terms.deck_options:
        return terms.wishes
    if round_.settings.maximum_interval is None:
        raise Obs2ankiError(
            "The plugin's settings name no maximum interval, so there is none for Anki's deck "
            "options. Leave --deck-options out."
        )
    return replace(terms.wishes, longest=round_.settings.maximum_interval)


def is_large(changes: Changes, holding: Holding) -> bool:
    """Whether the user should see it before it is done."""
    asleep = sum(Verb.SUSPEND in change.verbs for change in changes.changed)
    written = len(changes.added) + sum(change.writes for change in changes.changed)
    share = len(holding.notes) * SHARE // 100
    return written > MANY or asleep > max(FEW, share)


def _strangers(round_: Round, holding: Holding) -> int:
    """Notes that may be this vault's, of which nobody knows: the ledger is lost, or elsewhere."""
    known = {identity.note_id(entry.guid) for entry in round_.plan.ledger}
    return sum(note.fields.get("Id", "") not in known for note in holding.notes)


# ---------------------------------------------------------------- nothing has changed

STILL = "sync"
"""Where the cache keeps what the next sync will say if nothing changes until then."""


@dataclass(frozen=True, slots=True)
class Still:
    """A vault and an Anki that may be as the last sync left them; then the vault is not read."""

    rest: Rest
    session: Session

    def said(self) -> Said | None:
        """What a sync would say, if neither vault, ledger nor Anki has changed since."""
        try:
            mark, remembered, namespace, known, out, err = json.loads(self.rest.store.note(STILL))
        except (ValueError, TypeError):
            return None
        if not self.rest.mark or (mark, remembered) != (self.rest.mark, self._ledger()):
            return None
        same = _fingerprint(self._held(str(namespace))) == known
        return Said(str(out), str(err)) if same else None

    def keep(self, synced: Synced, saying: Callable[[Synced], Said]) -> None:
        """Have the next sync say what it will find, if it is known by now."""
        plan = synced.round.plan
        certain = (
            self.rest.mark
            and synced.ending in (Ending.WRITTEN, Ending.UNCHANGED)
            and synced.round.ledger is not None
            and not synced.strangers
            and not synced.applied.refused
            # A doubt which flashcard is which is a finding of the run that has it.
            and not any(found.code.startswith(("O8", "O9")) for found in synced.diagnostics)
        )
        if certain:
            unchanged = tuple(planned for planned in plan.planned if planned.note is not None)
            again = Synced(
                synced.round, Ending.UNCHANGED, Changes(unchanged=unchanged), synced.diagnostics
            )
            told = saying(again)
            kept = (self.rest.mark, self._ledger(), plan.namespace)
            as_before = synced.ending is Ending.UNCHANGED
            known = _fingerprint(synced.holding if as_before else self._held(plan.namespace))
            self.rest.store.keep_note(STILL, json.dumps((*kept, known, told.out, told.err)))

    def _ledger(self) -> str:
        return "" if self.rest.ledger is None else cache.digest_of_file(self.rest.ledger)

    def _held(self, namespace: str) -> Holding:
        with self.session() as anki:
            return anki.read(namespace)


def _fingerprint(holding: Holding) -> str:
    """A short name for all that is looked at of notes to which nothing is to be done now.

    Filtered decks belong to it: what waits for its card to be back is then to be done.
    """
    notes = (
        (
            *(note.guid, note.notetype, note.fields.get("State")),
            [(card.ordinal, card.filtered) for card in note.cards],
        )
        for note in holding.notes
    )
    names = (*sorted(holding.media), "", *sorted(holding.filtered))
    return cache.digest("\n".join((*map(repr, notes), *names)))


# ---------------------------------------------------------------- prune


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune deleted, or would have."""

    round: Round
    removed: tuple[Removal, ...]
    ending: Ending
    applied: Applied = UNTOUCHED


def prune(request: Request, session: Session, terms: Terms, *, force: bool = False) -> Pruned:
    """Delete from Anki the notes whose flashcards have left the vault.

    Raises Obs2ankiError where these are many and `force` is not given. `terms.confirm` is
    always asked.
    """
    return build.run(request, lambda round_: _pruned(round_, session, terms, force))


def _pruned(round_: Round, session: Session, terms: Terms, force: bool) -> Pruned:
    plan = round_.plan
    with session() as anki:
        holding = anki.read(plan.namespace)
        removed = reconcile.orphans(plan, holding)
        if not removed:
            return Pruned(round_, (), Ending.UNCHANGED)
        if terms.dry_run:
            return Pruned(round_, removed, Ending.PREVIEWED)
        _refuse_many(len(removed), len(holding.notes), force)
        changes = Changes(removed=removed)
        if not terms.confirm(changes):
            return Pruned(round_, removed, Ending.DECLINED)
        return Pruned(round_, removed, Ending.WRITTEN, anki.apply(changes, plan))


def _refuse_many(removed: int, held: int, force: bool) -> None:
    if not force and (removed > MANY or removed * 100 > held * SHARE):
        raise Obs2ankiError(
            f"{quantity(removed, 'note')} of {held:,} would be deleted, with all reviews in Anki. "
            "Look at them with --dry-run; if they are to go, give --force."
        )


# ---------------------------------------------------------------- to people

SHOWN = 50
"""Columns for a question in a table."""

ROWS = 20
"""Of the table of what was done; what is only to be done is shown in full."""

_DONE = {
    Verb.ADD: "added",
    Verb.UPDATE: "updated",
    Verb.MOVE: "moved",
    Verb.SUSPEND: "suspended",
    Verb.WAKE: "woken",
    Verb.RESCHEDULE: "rescheduled",
    Verb.CONFLICT: "in conflict",
    Verb.UNCHANGED: "unchanged",
}


def text(synced: Synced, wording: Wording) -> Iterator[str]:
    """What was done, or is to be done, line by line."""
    if synced.ending is Ending.EMPTY:
        yield "This vault yields no flashcard, so Anki was left as it is."
        return
    rows = list(table(synced.changes, wording))
    full = synced.ending is not Ending.WRITTEN or len(rows) <= ROWS
    if rows:
        yield from columns([HEAD, *(rows if full else rows[:ROWS])])
        if not full:
            yield f"and {len(rows) - ROWS:,} more"
        yield ""
    for change in synced.changes.changed:
        yield from _conflict(change, wording)
    yield _ended(synced)
    if synced.applied.backup:
        yield f"Backup: {harmless(synced.applied.backup)}"
    for place, why in synced.applied.refused:
        yield f"{wording.place(place.path, place.line or 1)}: {harmless(why)}"
    if told := forgotten(synced, wording.vault):
        yield told


def forgotten(synced: Synced, named: str) -> str:
    """What to know where Anki has notes of the vault's, but there was no ledger; mostly nothing.

    A line, and a command below it. `named` is the vault as the user wrote it.
    """
    if not synced.strangers or synced.round.remembers or synced.round.ledger is None:
        return ""
    new, begun = "would be a new note", synced.ending in (Ending.WRITTEN, Ending.UNCHANGED)
    remedy = "bring it back (from git or a backup) before you sync, or rebuild it"
    if begun:
        remedy = "move the new one away, and bring it back (from git or a backup) or rebuild it"
    if begun and synced.changes.added:
        new, remedy = "is a new note now", f"delete in Anki what this sync has added, {remedy}"
    return (
        f"{quantity(synced.strangers, 'note')} in Anki may be this vault's, but there was no "
        f"ledger to tell: a flashcard that was reworded {new}. If the ledger was lost, {remedy}:\n"
        f"  obs2anki adopt {argument(named)} path/to/collection.anki2"
    )


_ENDED = {
    Ending.WRITTEN: "Anki follows the vault: {}.",
    Ending.UNCHANGED: "Anki follows the vault already: {}.",
    Ending.PREVIEWED: "Nothing was written. A sync would leave: {}.",
    Ending.DECLINED: "Nothing was written.",
}


def _ended(synced: Synced) -> str:
    """How it ended, and how many notes each thing was done to."""
    alone = _left_alone(synced)
    told = (_counted(synced.changes), f"{alone:,} left alone" if alone else "")
    counted = ", ".join(part for part in told if part) or "nothing to do"
    if synced.ending is Ending.UNCHANGED and _differs(synced):
        return f"Anki was left as it is: {counted}."
    return _ENDED[synced.ending].format(counted)


def _left_alone(synced: Synced) -> int:
    """How many notes are none that a sync may write."""
    return sum(found.code == "O902" for found in synced.diagnostics)


def _differs(synced: Synced) -> bool:
    """Whether Anki has other text than the vault, until the user decides."""
    conflicts = any(change.conflicts for change in synced.changes.changed)
    return conflicts or _left_alone(synced) > 0


def line(synced: Synced, changed: Sequence[str], seconds: float, first: bool) -> str | None:
    """One line on a sync among many; None where it did nothing worth a word.

        Anki: 1 added, 2 updated (Cells.md; 0.24 s)

    `changed` are the files that made it due, `first` says whether there was no good one before.
    """
    why, told = took(changed, seconds), _counted(replace(synced.changes, unchanged=()))
    match synced.ending:
        case Ending.EMPTY:
            return f"Anki is left as it is: there is no flashcard in the vault {why}"
        case Ending.DECLINED:
            return (
                f"Anki is left as it is: so large a change is not made without you ({told}). Look "
                "at it with: obs2anki sync --dry-run. To have it made, end this watch and begin it "
                "with --yes, or run obs2anki sync once."
            )
        case Ending.WRITTEN:
            return f"Anki: {told or 'no card differs, but what obs2anki keeps in it does'} {why}"
    follows = "is left as it is" if _differs(synced) else "follows the vault already"
    return f"Anki {follows} {why}" if first else None


HEAD = ("What", "Place", "Deck", "Question")


def deeds_of(changes: Changes) -> Iterator[Add | Change]:
    """What is done to one note after the other."""
    yield from changes.added
    yield from changes.changed


def table(changes: Changes, wording: Wording) -> Iterator[tuple[str, str, str, str]]:
    """A row for each note to which something is done."""
    for deed in deeds_of(changes):
        verbs = ", ".join(verb for verb in deed.verbs if verb is not Verb.UNCHANGED)
        if verbs:
            yield verbs, _where(deed.place, wording), _deck(deed), _question(deed.place)


def removals(removed: tuple[Removal, ...], wording: Wording) -> Iterator[str]:
    """The notes that are to be deleted, as a table."""
    rows = [("Stood in", "Question")]
    rows += [(_where(one.place, wording), _question(one.place)) for one in removed]
    yield from columns(rows)


def pruned_as_text(pruned: Pruned, wording: Wording) -> Iterator[str]:
    """What was deleted, or would be, line by line."""
    if not pruned.removed:
        yield "Anki holds nothing that has left the vault."
        return
    yield from removals(pruned.removed, wording)
    yield ""
    count = quantity(len(pruned.removed), "note")
    if pruned.ending is Ending.WRITTEN:
        yield f"{count} deleted from Anki."
        if pruned.applied.backup:
            yield f"Backup: {harmless(pruned.applied.backup)}"
    else:
        yield f"Nothing was written; {count} would be deleted."


def _where(place: Place, wording: Wording) -> str:
    if place.line is None:
        return wording.place(place.path)
    return wording.place(place.path, place.line)


def _question(place: Place) -> str:
    return shortened(place.question, SHOWN)


def _deck(deed: Add | Change) -> str:
    if isinstance(deed, Add):
        return harmless(deed.note.deck)
    if deed.move is not None:
        return harmless(deed.move.deck)
    return harmless(deed.held.cards[0].deck) if deed.held.cards else ""


def _conflict(change: Change, wording: Wording) -> Iterator[str]:
    for one in change.conflicts:
        yield f"{_where(change.place, wording)}: {one.field} was edited here and in Anki."
        yield from columns(
            [("  in the vault", shortened(one.vault, 200)), ("  in Anki", shortened(one.anki, 200))]
        )
        yield ""


def counts(changes: Changes) -> dict[Verb, int]:
    """How many notes each thing is done to."""
    verbs = Counter(v for deed in deeds_of(changes) for v in deed.verbs)
    verbs[Verb.UNCHANGED] += len(changes.unchanged)
    return {verb: verbs[verb] for verb in Verb}


def _counted(changes: Changes) -> str:
    told = [f"{count:,} {_DONE[verb]}" for verb, count in counts(changes).items() if count]
    if changes.media:
        told.append(f"{quantity(len(changes.media), 'media file')} added")
    if changes.limits:
        told.append(f"{quantity(len(changes.limits), 'deck')} with another maximum interval")
    return ", ".join(told)


# ---------------------------------------------------------------- to programs


def as_json(synced: Synced) -> Iterator[str]:
    """The pieces of the same as one JSON object; paths are relative to the vault."""
    changes = synced.changes
    head = {
        "version": VERSION,
        "vault": synced.round.plan.vault_name,
        "ending": synced.ending,
        "counts": counts(changes),
        "media": [item.name for item in changes.media],
        "limits": {limit.deck: limit.days for limit in changes.limits},
        "backup": synced.applied.backup,
        "strangers": synced.strangers,
    }
    yield in_json(head)[:-1] + ",\n"
    rows = [_row(one) for one in deeds_of(changes)]
    rows += [
        {"path": one.flashcard.path, "line": one.flashcard.line, "guid": one.guid}
        | {"verbs": [Verb.UNCHANGED]}
        for one in changes.unchanged
    ]
    yield ' "notes": [' + ",".join(f"\n  {in_json(row)}" for row in rows) + "],\n"
    refused = [
        {"path": place.path, "line": place.line, "reason": why}
        for place, why in synced.applied.refused
    ]
    yield f' "refused": {in_json(refused)},\n'
    found = ",".join(f"\n  {in_json(structs.asdict(one))}" for one in synced.diagnostics)
    yield f' "diagnostics": [{found}]}}\n'


def _row(deed: Add | Change) -> dict[str, object]:
    guid = deed.note.guid if isinstance(deed, Add) else deed.held.guid
    row: dict[str, object] = {
        "path": deed.place.path,
        "line": deed.place.line,
        "guid": guid,
        "verbs": deed.verbs,
        "deck": _deck(deed),
        "question": deed.place.question,
    }
    if isinstance(deed, Change) and deed.conflicts:
        row["conflicts"] = [asdict(one) for one in deed.conflicts]
    return row


def pruned_as_json(pruned: Pruned) -> Iterator[str]:
    """What a prune deleted, or would delete, as one JSON object."""
    rows = [
        {"path": one.place.path, "guid": one.held.guid, "question": one.place.question}
        for one in pruned.removed
    ]
    head = {"version": VERSION, "vault": pruned.round.plan.vault_name, "ending": pruned.ending}
    yield in_json(head | {"removed": rows}) + "\n"
