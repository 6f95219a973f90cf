"""The two notetypes that obs2anki brings to Anki, once and for ever.

    FIELDS[Notetype.BASIC][0] == "Front"
    DEFINITIONS[Notetype.CLOZE].templates[0].question == '...{{cloze:Text}}...'

Anki tells a notetype by its id and its fields and templates by theirs. A released definition is
never changed: another field or template would make Anki add a second notetype ("obs2anki+") and
stop updating the notes of the first, and a newer `mod` would replace the user's own styling
(Anki 26.09). A change that cannot be avoided needs a new id beside the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from obs2anki.data import Notetype
from obs2anki.stylesheet import CSS

MOD = 1577836800
"""2020-01-01, seconds since the epoch: when every notetype changed last."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a notetype; `id` is how Anki knows it again."""

    name: str
    id: int
    private: bool = False
    """Bookkeeping: folded away in Anki's editor, left out of its searches, on no card."""


@dataclass(frozen=True, slots=True)
class Template:
    """A card template: what is asked and what is answered, in Anki's template language."""

    name: str
    id: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A notetype in full."""

    id: int
    fields: tuple[Field, ...]
    templates: tuple[Template, ...]
    css: str


_CONTEXT = '{{#Context}}<div class="context">{{Context}}</div>{{/Context}}\n'
_BELOW = (
    '{{#Notes}}<div class="notes">{{Notes}}</div>{{/Notes}}\n'
    '{{#Source}}<div class="source">{{Source}}</div>{{/Source}}'
)


def _asks(field: str) -> str:
    return f'{_CONTEXT}<div class="side question">{{{{{field}}}}}</div>'


def _answers(field: str) -> str:
    side = f'<div class="side answer">{{{{{field}}}}}</div>'
    return f'{{{{FrontSide}}}}\n<hr id="answer">\n{side}\n{_BELOW}'


_CLOZE = f'{_CONTEXT}<div class="side question">{{{{cloze:Text}}}}</div>'
_EXTRA = '{{#Extra}}<div class="side extra">{{Extra}}</div>{{/Extra}}'

DEFINITIONS: Mapping[Notetype, Definition] = {
    Notetype.BASIC: Definition(
        1577836800101,
        (
            Field("Front", 7364501820113001),
            Field("Back", 7364501820113002),
            Field("Context", 7364501820113003),
            Field("Source", 7364501820113004),
            Field("Reverse", 7364501820113005),
            Field("Notes", 7364501820113006),
            Field("Id", 7364501820113007, private=True),
            Field("Vault", 7364501820113008, private=True),
            Field("State", 7364501820113009, private=True),
            Field("Spare 1", 7364501820113010, private=True),
            Field("Spare 2", 7364501820113011, private=True),
        ),
        (
            Template("Card 1", 7364501820114001, _asks("Front"), _answers("Back")),
            Template(
                "Card 2",
                7364501820114002,
                "{{#Reverse}}" + _asks("Back") + "{{/Reverse}}",
                _answers("Front"),
            ),
        ),
        CSS,
    ),
    Notetype.CLOZE: Definition(
        1577836800102,
        (
            Field("Text", 7364501820115001),
            Field("Extra", 7364501820115002),
            Field("Context", 7364501820115003),
            Field("Source", 7364501820115004),
            Field("Notes", 7364501820115005),
            Field("Id", 7364501820115006, private=True),
            Field("Vault", 7364501820115007, private=True),
            Field("State", 7364501820115008, private=True),
            Field("Spare 1", 7364501820115009, private=True),
            Field("Spare 2", 7364501820115010, private=True),
        ),
        (Template("Cloze", 7364501820116001, _CLOZE, f"{_CLOZE}\n{_EXTRA}\n{_BELOW}"),),
        CSS,
    ),
}

FIELDS: Mapping[Notetype, tuple[str, ...]] = {
    notetype: tuple(field.name for field in definition.fields)
    for notetype, definition in DEFINITIONS.items()
}
"""Names of the fields by notetype, in Anki's order; `Note.fields` follows it."""
