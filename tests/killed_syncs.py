"""Syncs that are killed at random points, each finished by a later one.

    python -m tests.killed_syncs FOLDER 100

A process of its own: every sync runs in a fork that a timer kills, and Anki's engine, which has
threads, must not have been at work in what is forked.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests import synced
from tests.anki_collection import answer_good
from tests.synced import Both

FLASHCARDS = 40

EVERY = 10
"""After so many kills a sync is let be, and all is compared."""


def words(seed: str) -> str:
    """Words like no others: flashcards that are alike are taken for one that was reworded."""
    letters = random.Random(seed)
    return " ".join("".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(3))


QUESTIONS = [words(f"question {number}") for number in range(FLASHCARDS)]


def asked(round_: int) -> dict[int, str]:
    """What is asked in a round: some are gone, to be back, and some worded in another way."""
    return {
        number: question if number % 8 else f"{question} in {words(f'round {round_}')[:9]}"
        for number, question in enumerate(QUESTIONS)
        if number % 2 == 0 or (number + round_) % 5
    }


def documents(round_: int) -> dict[str, str]:
    """The vault in its `round_`: something is reworded, new, gone, moved, back each time.

    What is new in a round is reworded in the next: a note that Anki got of it is to be known.
    """
    texts: dict[str, list[str]] = {"a.md": [], "b.md": [], "c.md": [_new(round_)]}
    for number, question in asked(round_).items():
        answer = words(f"answer {number} {round_ if number % 8 == 4 else 0}")
        separator = ";;;" if (number + round_) % 3 == 0 else ";;"
        review = f"<!--SR:!2030-04-{number % 28 + 1:02},14,290-->"
        path = "a.md" if number < FLASHCARDS // 2 else "b.md"
        texts[path].append(f"{question}{separator}{answer}\n{review}")
    return {path: "\n\n".join(its) for path, its in texts.items()}


def _new(round_: int) -> str:
    """A flashcard that comes every other round, and is reworded in the one after it."""
    return f"{new_question(round_)};;{words(f'new answer {round_ // 2}')}"


def new_question(round_: int) -> str:
    """What it asks."""
    return f"{words(f'new {round_ // 2}')} {'first' if round_ % 2 == 0 else 'then'}"


def in_a_fork(job: Callable[[], None], seconds: float | None = None) -> bool:
    """Do a job in another process, which is killed after `seconds`; whether it came to its end."""
    child = os.fork()
    if child == 0:
        if seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, seconds)  # SIGALRM kills, and asks nobody
        try:
            job()
        except BaseException as error:
            traceback.print_exception(error)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGALRM
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def study(both: Both, stood: Path) -> None:
    """The user answers a card of each kind, so that there is something to lose."""
    with both.anki() as col:
        there = synced.fronts(col)
        for question in QUESTIONS[::9]:
            if question in there:
                answer_good(col, synced.guid(col, question))
    stood.write_text("\n".join(standing(both)))


def standing(both: Both) -> set[str]:
    """Every review, and every card but for its queue and its deck."""
    found = both.standing()
    cards = ((card, row[0], row[2:10], row[11:]) for card, row in found.cards.items())
    return {*map(str, found.reviews), *map(str, cards)}


def look(both: Both) -> None:
    """Whatever was killed: the file is whole, and no note is there twice."""
    with closing(sqlite3.connect(f"file:{both.collection}?mode=ro", uri=True)) as database:
        database.create_collation("unicase", lambda a, b: (a > b) - (a < b))
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        (twice,) = database.execute("SELECT count(*) - count(DISTINCT guid) FROM notes").fetchone()
        assert twice == 0


def finished(both: Both, round_: int, stood: Path) -> None:
    """A sync that nobody kills ends with what the vault says, and every card as it was."""
    assert both.sync().ending in ("written", "unchanged")
    assert not both.sync().changes.writes
    # The second card of a flashcard that is no more reversed sleeps, and asks nothing.
    assert not [found for found in both.complaints() if not found.startswith("empty cards")]
    if stood.exists():
        assert set(stood.read_text().splitlines()) <= standing(both)
    with both.anki() as col:
        found = [col.get_note(number) for number in col.find_notes("-tag:obs2anki::orphan")]
        fronts = sorted(note.fields[0] for note in found)
        assert fronts == sorted([*asked(round_).values(), new_question(round_)])
        assert all(card.queue >= 0 for note in found for card in note.cards() if card.ord == 0)
    assert not list(both.profile.glob(".obs2anki*"))
    assert len(list((both.vault / ".obs2anki").iterdir())) == 2


def main(folder: Path, points: int) -> None:
    """Kill so many syncs."""
    random.seed(points)
    both, stood = Both(folder / "vault", folder / "Anki2" / "User 1"), folder / "standing"
    in_a_fork(lambda: (synced.both(folder), None)[1])
    both.write(documents(0))
    in_a_fork(lambda: finished(both, 0, stood))
    both.write(documents(1))
    began = time.monotonic()
    in_a_fork(lambda: (both.sync(), None)[1])
    usual = time.monotonic() - began
    killed = 0
    for round_ in range(2, points + 2):
        both.write(documents(round_))
        killed += not in_a_fork(lambda: (both.sync(), None)[1], random.uniform(0.01, usual))
        look(both)
        if round_ % EVERY == 0 or round_ == points + 1:
            in_a_fork(lambda r=round_: finished(both, r, stood))  # type: ignore[misc]  # a default is no argument
            in_a_fork(lambda: study(both, stood))
    print(f"{killed} of {points} were killed")
    # How long a sync takes changes with the machine's load; too few kills would prove nothing.
    assert killed * 5 > points


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
