"""Reading the plugin's record of reviews.

    <!--SR:!2024-04-12,14,232!2000-01-01,1,250-->
          due, interval in days, ease in percent; a segment for each card

As plugin 1.15.4 reads it (src/utils/comment-parser.ts, notes-data-store.ts): split at `!`,
`2000-01-01` stands for a card never reviewed, `fsrs,...` is a review by FSRS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TypeVar

from obs2anki.data import FsrsReview, Review, Sm2Review
from obs2anki.markdown import SPACE, trim

OPENER = "<!--SR:"
CLOSER = "-->"

USUAL = 40
"""Characters of a date at most; a longer one is read anew each time, and not kept in memory."""

BASE_EASE = 250
"""Percent: the plugin's default for a card without an ease of its own."""

_NEVER = date(2000, 1, 1)
_LEGACY = re.compile(r"!([0-9-]+),([0-9]+),([0-9]+)")
_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,15})")
_FLOAT = re.compile(r"\s*([+-]?[0-9]{1,300}(?:\.[0-9]{0,300})?(?:[eE][+-]?[0-9]{1,2})?)")
_NUMBERS = re.compile(
    r"[^0-9A-Za-z]{0,9}([0-9]{1,4})(?![0-9])[^0-9A-Za-z]{1,9}([0-9]{1,2})(?![0-9])"
    r"[^0-9A-Za-z]{1,9}([0-9]{1,4})(?![0-9])"
)
_LONG_DATE = re.compile(
    r"\s*[A-Za-z]{2,9}[^A-Za-z0-9]{1,9}([A-Za-z]{3})[a-z]{0,9}[^A-Za-z0-9]{1,9}"
    r"([0-9]{1,2})[^A-Za-z0-9]{1,9}([0-9]{4})"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A segment that is no review, or only in part, and why."""

    segment: str
    reason: str
    mended: bool
    """Whether a review was made of it all the same."""


# ---------------------------------------------------------------- finding the comment


def comments(text: str) -> Iterator[tuple[int, int]]:
    """Where each SR comment of `text` begins and ends: up to the first `-->` of its line."""
    found = _comment(text, 0)
    while found is not None:
        yield found
        found = _comment(text, found[1])


def _comment(text: str, start: int) -> tuple[int, int] | None:
    """Where the first SR comment behind `start` begins and ends."""
    at = text.find(OPENER, start)
    while at >= 0:
        line_end = text.find("\n", at)
        line_end = len(text) if line_end < 0 else line_end
        # The plugin wants at least one character between the two (`.+?`).
        close = text.find(CLOSER, at + len(OPENER) + 1, line_end)
        if close >= 0:
            return at, close + len(CLOSER)
        at = text.find(OPENER, line_end)
    return None


def without_comments(text: str) -> str:
    """`text` as the plugin shows it: of each line all from an SR comment to the last `-->`.

    The plugin's `/<!--SR:.+-->/` is greedy, so that text between two comments vanishes too.
    """
    pieces: list[str] = []
    position = 0
    at = text.find(OPENER)
    while at >= 0:
        line_end = text.find("\n", at)
        line_end = len(text) if line_end < 0 else line_end
        close = text.rfind(CLOSER, at + len(OPENER) + 1, line_end)
        if close >= 0:
            pieces.append(text[position:at])
            position = close + len(CLOSER)
        at = text.find(OPENER, line_end)
    return "".join((*pieces, text[position:]))


def without_comment_lines(text: str) -> str:
    """`text` without comments, and without the lines that held nothing else.

    The plugin leaves such a line behind empty, so that a review would change what is learnt.
    """
    kept: list[str] = []
    for line in text.split("\n"):
        rest = without_comments(line) if OPENER in line else line
        if rest == line or trim(rest):
            kept.append(rest)
    return "\n".join(kept)


def bare(text: str) -> tuple[str, str]:
    """`without_comments`, and `without_comment_lines` trimmed at its end."""
    at = text.find(OPENER)
    if at < 0:
        return text, text.rstrip(SPACE)
    # Nearly always it is the last line.
    ends_it = text[at - 1] == "\n" and text.endswith(CLOSER) and "\n" not in text[at:]
    if ends_it and len(text) > at + len(OPENER) + len(CLOSER):
        return text[:at], text[:at].rstrip(SPACE)
    return without_comments(text), without_comment_lines(text).rstrip(SPACE)


def of_text(text: str) -> tuple[tuple[Review | None, ...], list[Unreadable]]:
    """The reviews that a flashcard's text carries: those of its first SR comment.

    Without a comment the plugin takes `!2024-05-01,3,250` anywhere in the text for a review,
    a form older than comments.
    """
    first = _comment(text, 0)
    if first is not None:
        return of_comment(text[first[0] + len(OPENER) : first[1] - len(CLOSER)])
    if "!" not in text:
        return (), []
    found = (_sm2(*match.groups()) for match in _LEGACY.finditer(text))
    return tuple(r for r in found if isinstance(r, Sm2Review)), []


def of_comment(body: str) -> tuple[tuple[Review | None, ...], list[Unreadable]]:
    """The reviews in the body of one comment, by the plugin's order of cards."""
    reviews: list[Review | None] = []
    unreadable: list[Unreadable] = []
    for part in body.split("!"):
        if segment := trim(part):
            fields = segment.split(",")
            read = _fsrs(*fields) if fields[0] == "fsrs" and len(fields) > 1 else _sm2(*fields)
            if not isinstance(read, (str, tuple)):
                reviews.append(read)
                continue
            mended, problem = (None, read) if isinstance(read, str) else read
            reviews.append(mended)
            unreadable.append(Unreadable(segment[:80], problem, mended is not None))
    return tuple(reviews), unreadable


# ---------------------------------------------------------------- reading a segment

_Read = Review | tuple[Review, str] | str | None
"""A review, one that was mended and how, why it is none, or None = never reviewed."""


def _sm2(due: str, interval: str = "", ease: str = "", *_: str) -> _Read:
    day = _day(due)
    if day is None:
        return "its date is not a date"
    if day == _NEVER:
        return None
    days, percent = _integer(interval), _integer(ease)
    if days is None:
        return "its interval is missing"
    if percent is None:
        return Sm2Review(day, days, BASE_EASE), f"its ease is missing; {BASE_EASE} % is taken"
    return Sm2Review(day, days, percent)


def _fsrs(_: str, due: str, *fields: str) -> _Read:
    if due.strip() == "-":
        return None
    instant = _instant(due)
    interval, stability, difficulty, state, reps, lapses, _steps, last = (*fields, *[""] * 8)[:8]
    days = _number(interval)
    if instant is None:
        return "its due time is not a time"
    if days is None:
        return "its interval is missing"
    memory = (_number(stability), _number(difficulty))
    counts = (_integer(state), _integer(reps), _integer(lapses))
    review = FsrsReview(
        instant,
        days,
        memory[0] or 0.0,
        memory[1] or 0.0,
        2 if counts[0] is None else counts[0],
        counts[1] or 0,
        counts[2] or 0,
        _instant(last),
    )
    if None in memory or None in counts:
        return review, "it is cut short; what is there is taken"
    return review


def _integer(text: str) -> int | None:
    """JavaScript's parseInt: the digits at the start."""
    if len(text) <= 15 and text.isascii() and text.isdigit():
        return int(text)
    match = _INTEGER.match(text)
    return int(match[1]) if match else None


def _number(text: str) -> float | None:
    """JavaScript's parseFloat, finite."""
    usual = text[:1] != "." and len(text) <= 300 and text.isascii()
    if usual and text.replace(".", "", 1).isdigit():
        return float(text)
    match = _FLOAT.match(text)
    number = float(match[1]) if match else None
    return None if number is None or number in (float("inf"), float("-inf")) else number


_Told = TypeVar("_Told")


def _kept_in_mind(reading: Callable[[str], _Told]) -> Callable[[str], _Told]:
    """The same, done once for texts that many cards have; none is kept that is long."""
    kept = lru_cache(maxsize=4096)(reading)

    def read(text: str) -> _Told:
        return kept(text) if len(text) <= USUAL else reading(text)

    return read


@_kept_in_mind
def _instant(text: str) -> datetime | None:
    """An ISO instant; one without a zone is local to the user, as moment() takes it."""
    try:
        instant = datetime.fromisoformat(trim(text))
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo and 1 < instant.year < 9999 else instant


# ---------------------------------------------------------------- dates


@_kept_in_mind
def _day(text: str) -> date | None:
    """A date as moment(text, ["YYYY-MM-DD", "DD-MM-YYYY", "ddd MMM DD YYYY"]) reads it.

    moment takes any separators and ignores what follows. Where it would tear digits apart to
    make a date (2024-13-45 becomes 20 January) the text is no date here.
    """
    if match := _NUMBERS.match(text):
        first, month, last = match.groups()
        day_first = len(last) == 4 and len(first) <= 2
        year, day = (last, first) if day_first else (first, last)
        if len(month) > 2 or len(day) > 2:
            return None
        # A year of two digits is this century's up to 68 (moment.parseTwoDigitYear).
        century = 0 if len(year) != 2 else 1900 if int(year) > 68 else 2000
        return _date(int(year) + century, int(month), int(day))
    match = _LONG_DATE.match(text)
    if match and match[1].lower() in _MONTHS:
        return _date(int(match[3]), _MONTHS.index(match[1].lower()) + 1, int(match[2]))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
