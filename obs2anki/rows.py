r"""What a document yields as bytes, and back: for another process, or for the next run.

    Yield("cells.md", (Made(flashcard, ...),))  ->  b"\x98\xa8cells.md\x91\x98..."

MessagePack of nested rows, each as long as its type says. Bytes that say anything else are
refused, so they may come from a file that was damaged; nothing in them is ever executed. A text
that stands in a flashcard several times, as its side and as its HTML, is there once: None is
"the same as before".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path

import msgspec

from obs2anki.data import (
    Cloze,
    ClozeKind,
    DeckName,
    Deletion,
    Diagnostic,
    Flashcard,
    FlashcardType,
    FsrsReview,
    LeftBehind,
    Media,
    Review,
    Severity,
    Skipped,
    Sm2Review,
    VaultPath,
    make_flashcard,
    maker,
)
from obs2anki.identity import Key
from obs2anki.render import Lookup
from obs2anki.yields import Made, Sides, Yield

_Texts = tuple[str, ...]
_Numbers = tuple[int, ...]
_Deletion = tuple[str, str, str | None, _Numbers, _Numbers, int]
_Cloze = tuple[str, tuple[_Deletion, ...], int]
_Sm2 = tuple[date, int, int]
_Fsrs = tuple[datetime, float, float, float, int, int, int, datetime | None]
_Reviews = tuple[tuple[_Sm2 | None, ...], tuple[_Fsrs | None, ...]]
"""By the plugin's order of cards; a card has one in the first list, or in the second, or none."""
_Flashcard = tuple[
    str,
    str,
    int,
    int,
    _Texts,
    _Texts | None,
    _Cloze | None,
    str | None,
    str | None,
    _Texts,
    str | None,
    _Texts,
    _Texts,
    _Reviews,
    bool | None,
    int,
]
_Diagnostic = tuple[str, int, int, str, str, str, str]
_Media = tuple[str, str, int]
_Sides = tuple[tuple[str | None, ...], tuple[_Media, ...], _Texts, tuple[_Diagnostic, ...]]
_Key = tuple[str | None, str | None, str, str]
_Made = tuple[_Flashcard, str, _Key, _Numbers, _Sides, str, str, str]
_LeftBehind = tuple[str, int, str, int, str | None]
_Lookup = tuple[str, str, str | None]
_Skipped = tuple[str, str]
_Yield = tuple[
    str,
    tuple[_Made, ...],
    _Skipped | None,
    tuple[_LeftBehind, ...],
    tuple[_Diagnostic, ...],
    tuple[_Lookup, ...],
    _Texts,
    bool,
]

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Yield)

_make_made, _make_key, _make_sides = maker(Made), maker(Key), maker(Sides)
_make_sm2 = maker(Sm2Review)

_TYPES = {type_.value: type_ for type_ in FlashcardType}
_SEVERITIES = {severity.value: severity for severity in Severity}


def packed(one: Yield, root: Path) -> bytes:
    """A yield as bytes; media are told by where they lie below `root`."""
    skipped = one.skipped and (one.skipped.path, one.skipped.reason)
    made = [_made(each, root) for each in one.made]
    left_behind = [_of_left_behind(item) for item in one.left_behind]
    said = [_of_diagnostic(each) for each in one.diagnostics]
    return _ENCODER.encode(
        (one.path, made, skipped, left_behind, said, one.lookups, one.documents, one.readable)
    )


def unpacked(row: bytes, root: Path) -> Yield:
    """The yield that `packed` made bytes of. Raises ValueError where they are not such."""
    try:
        path, made, skipped, left_behind, said, lookups, documents, readable = _DECODER.decode(row)
        return Yield(
            VaultPath(path),
            tuple([_unpacked(each, root) for each in made]),
            skipped and Skipped(VaultPath(skipped[0]), skipped[1]),
            tuple([LeftBehind(VaultPath(item[0]), *item[1:]) for item in left_behind]),
            _diagnostics(said),
            tuple([Lookup(t, VaultPath(s), f and VaultPath(f)) for t, s, f in lookups]),
            tuple(map(VaultPath, documents)),
            readable,
        )
    except (msgspec.MsgspecError, KeyError) as error:
        raise ValueError("no yield") from error


# ---------------------------------------------------------------- to rows

_of_deletion = attrgetter("raw", "answer", "hint", "asked", "hidden", "start")
_of_diagnostic = attrgetter("path", "line", "column", "code", "severity", "message", "hint")
_of_left_behind = attrgetter("path", "line", "cause", "reviews", "separator")
_of_sm2 = attrgetter("due", "interval", "ease")
_of_fsrs = attrgetter(
    *("due", "interval", "stability", "difficulty", "state", "reps", "lapses", "last_review")
)


def _made(one: Made, root: Path) -> object:
    flashcard, sides, key = one.flashcard, one.sides, one.key
    shown, cloze = flashcard.shown, flashcard.cloze
    return (
        (
            flashcard.type,
            flashcard.path,
            flashcard.line,
            flashcard.end_line,
            flashcard.sides,
            None if flashcard.shown == flashcard.sides else flashcard.shown,
            cloze and (cloze.kind, [_of_deletion(d) for d in cloze.deletions], cloze.cards),
            flashcard.block_id,
            flashcard.anchor,
            flashcard.context,
            flashcard.leading_tag,
            flashcard.topics,
            flashcard.tags,
            _reviews(flashcard.reviews),
            flashcard.rtl,
            flashcard.own_line,
        ),
        one.deck,
        (
            None if key.question == shown[0] else key.question,
            None if key.answer == shown[-1] else key.answer,
            key.question_digest,
            key.answer_digest,
        ),
        one.places,
        (
            [None if html == text else html for html, text in zip(sides.html, shown, strict=True)],
            [(m.name, str(m.file.relative_to(root)), m.size) for m in sides.media],
            sides.online,
            [_of_diagnostic(each) for each in sides.diagnostics],
        ),
        one.context,
        one.source,
        one.content,
    )


def _reviews(reviews: Sequence[Review | None]) -> object:
    if not reviews:
        return (), ()
    sm2 = [_of_sm2(review) if isinstance(review, Sm2Review) else None for review in reviews]
    if not any(isinstance(review, FsrsReview) for review in reviews):
        return sm2, ()
    return sm2, [_of_fsrs(r) if isinstance(r, FsrsReview) else None for r in reviews]


# ---------------------------------------------------------------- and back


def _unpacked(row: _Made, root: Path) -> Made:
    first, deck, (question, answer, *digests), places, sides, context, source, content = row
    html, media, online, said = sides
    flashcard = _flashcard(first)
    shown = flashcard.shown
    return _make_made(
        flashcard,
        DeckName(deck),
        _make_key(
            shown[0] if question is None else question,
            shown[-1] if answer is None else answer,
            *digests,
        ),
        places,
        _make_sides(
            tuple([b if a is None else a for a, b in zip(html, shown, strict=True)]),
            tuple([Media(name, root / file, size) for name, file, size in media]),
            online,
            _diagnostics(said) if said else (),
        ),
        context,
        source,
        content,
    )


def _flashcard(row: _Flashcard) -> Flashcard:
    type_, path, line, end_line, sides, shown, cloze = row[:7]
    return make_flashcard(
        _TYPES[type_],
        VaultPath(path),
        line,
        end_line,
        sides,
        sides if shown is None else shown,
        cloze and _cloze(cloze),
        *row[7:13],
        _of_reviews(*row[13]),
        *row[14:],
    )


def _cloze(row: _Cloze) -> Cloze:
    kind, deletions, cards = row
    return Cloze(ClozeKind(kind), tuple([Deletion(*one) for one in deletions]), cards)


def _of_reviews(
    sm2: tuple[_Sm2 | None, ...], fsrs: tuple[_Fsrs | None, ...]
) -> tuple[Review | None, ...]:
    simple = [None if one is None else _make_sm2(*one) for one in sm2]
    if not fsrs:
        return tuple(simple)
    timed = [None if one is None else FsrsReview(*one) for one in fsrs]
    return tuple(one or other for one, other in zip(simple, timed, strict=True))


def _diagnostics(rows: Sequence[_Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(
        [
            Diagnostic(VaultPath(path), line, column, code, _SEVERITIES[severity], message, hint)
            for path, line, column, code, severity, message, hint in rows
        ]
    )
