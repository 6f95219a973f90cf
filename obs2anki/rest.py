"""A vault at rest: what an export says if nothing has changed since the last one.

    mark of settings, files, day, deck and ledger  ->  what was said of the same mark

An export that finds everything as the last one left it would read it all to say so. So the last
one leaves in the cache what the next one will say, under a mark that any change breaks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obs2anki import cache, ledger, vault
from obs2anki.cache import Cache
from obs2anki.clock import offsets, reading, zone_of
from obs2anki.request import Request, deck_of, place_of_ledger

if TYPE_CHECKING:
    from obs2anki.build import Outcome

NOTE = "rest"
"""Where the cache keeps it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command says."""

    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Rest:
    """A request, and the state in which it found the vault."""

    store: Cache
    mark: str
    """Of all but deck and ledger, from before anything was read; empty = it cannot be told."""
    deck: Path
    ledger: Path | None
    seen: vault.Seen | None
    """What the look at the vault has shown."""

    @classmethod
    def of(cls, request: Request, wording: tuple[object, ...]) -> Rest | None:
        """The state of what is asked for; `wording` is what else decides how it is told.

        None without a cache, or where more than files decides what is done. Raises Obs2ankiError
        where the vault or its settings cannot be read.
        """
        if request.cache is None:
            return None
        in_force, found = vault.find_settings(request.vault, request.options)
        if in_force.media.download:
            return None
        deck = deck_of(request, in_force, vault.name_of(request.vault))
        place = place_of_ledger(request.vault, in_force)
        seen = vault.look(request.vault, (deck, place))
        files = vault.marks(seen) if seen is not None else ""
        now, zone = reading(os.environ), zone_of(in_force)
        days = (
            now.astimezone(zone).date(),
            (now.astimezone(zone) - timedelta(hours=in_force.scheduling.rollover)).date(),
            now.astimezone(zone).utcoffset(),
        )
        asked = (request.options, request.stateless, str(deck), str(request.vault), str(place))
        second = ledger.conflict_copies(place)
        state = (ledger.is_writable(place), ledger.is_announced(place), second)
        clock = (days, os.environ.get("TZ"), offsets(zone, now))
        mark = cache.key(in_force, found, files, clock, asked, wording, state)
        store = Cache.of(request.cache, request.vault)
        kept = None if request.stateless else place
        return cls(store, mark if files else "", deck, kept, seen)

    def said(self) -> Said | None:
        """What an export would say, if nothing has changed since the last one."""
        kept = self.store.note(NOTE) if self.mark else ""
        try:
            mark, state, out, err = json.loads(kept)
        except (ValueError, TypeError):
            return None
        if mark != self.mark or state != self._state(cache.digest_of_file(self.deck)):
            return None
        return Said(str(out), str(err))

    def left(self, outcome: Outcome) -> list[str]:
        """The state in which a round leaves deck and ledger, asked while it has the latter."""
        known, delivery = outcome.round.memory.ledger.ledger, outcome.delivery
        # Who has another ledger, or none, may have replaced the deck by now.
        deck = "" if delivery is None else delivery.digest
        return self._state(deck, "" if known is None else known.content.hex())

    def keep(self, outcome: Outcome, left: list[str], saying: Callable[[Outcome], Said]) -> None:
        """Have the next export say what it will find, if it is known by now.

        `left` is the state of deck and ledger after this one: others may be at them by now.
        """
        again = _again(outcome)
        if not self.mark or again is None:
            return
        told = saying(again)
        self.store.keep_note(NOTE, json.dumps((self.mark, left, told.out, told.err)))

    def _state(self, deck: str, saved: str = "") -> list[str]:
        """What deck and ledger hold, by digests; `saved` is the ledger's, if this run knows it."""
        if self.ledger is None:
            return [deck]
        return [deck, saved or cache.digest_of_file(self.ledger)]


def _again(outcome: Outcome) -> Outcome | None:
    """How the next export ends if nothing changes until then; None = that is not certain."""
    from obs2anki.build import Outcome, Verdict
    from obs2anki.data import Delivery
    from obs2anki.ledger import Ledger

    round_, delivery = outcome.round, outcome.delivery
    plan = round_.plan
    # A doubt which flashcard is which is a finding of the run that has it.
    if delivery is None or any(found.code.startswith("O8") for found in plan.diagnostics):
        return None
    known = round_.known
    if round_.ledger is not None:
        known = Ledger(plan.namespace, plan.vault_name, plan.ledger)
    elif not round_.stateless:
        return None
    settled = replace(round_, known=known, plan=replace(plan, left=(), renamed=()))
    unchanged = Delivery(unchanged=len(plan.notes), size=delivery.size)
    return Outcome(settled, Verdict.UNCHANGED, unchanged)
