"""The top level of a YAML frontmatter, as text.

    tags: [flashcards/a, 2024-01-01]     -> {"tags": ("flashcards/a", "2024-01-01"),
    deck: {{title}}                         "deck": None}

Imported only when a document has a frontmatter: PyYAML takes time to load.
"""

from __future__ import annotations

from typing import Any

import yaml

from obs2anki.data import FrontmatterValue

_Base = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
DEEPEST = 100
"""Levels; libyaml takes time in proportion to depth times length."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class TopLevel(_Base):  # type: ignore[misc,valid-type]  # the C loader is found at run time
    """A YAML loader that keeps scalars, and lists of scalars, below the top level's keys.

    It reads PyYAML's events one by one. PyYAML's own constructors recurse, and a few thousand
    nested dashes, which anyone can write into a document, would crash the interpreter.
    Scalars stay as they are written: a tag may look like a date, a number or a boolean.
    """

    def get_single_data(self) -> dict[str, FrontmatterValue]:
        """The mapping that the text is; empty if it is none.

        All of the text is read: what breaks it further down breaks all of it.
        """
        values: dict[str, FrontmatterValue] = {}
        depth, key, expects_key = 0, None, True
        items: list[str] = []
        is_mapping = True
        anchors: set[str] = set()
        while not isinstance(event := self.get_event(), yaml.StreamEndEvent):
            _check_anchor(event, anchors)
            match event:
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    depth += 1
                    if depth > DEEPEST:
                        raise yaml.YAMLError("it is nested too deeply")
                    if depth == 1 and isinstance(event, yaml.SequenceStartEvent):
                        is_mapping = False
                    if depth == 2:
                        items = []
                        in_list = isinstance(event, yaml.SequenceStartEvent) and not expects_key
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    depth -= 1
                    if depth == 1:
                        if not expects_key and key is not None:
                            values[key] = tuple(items) if in_list else None
                        key, expects_key = None, not expects_key
                case yaml.ScalarEvent() if depth == 1 and expects_key:
                    key, expects_key = event.value, False
                case yaml.ScalarEvent() | yaml.AliasEvent() if depth == 1:
                    if key is not None:
                        values[key] = _scalar(event)
                    key, expects_key = None, True
                case yaml.ScalarEvent() if depth == 2 and in_list and (text := _scalar(event)):
                    items.append(text)
        return values if is_mapping else {}


def _check_anchor(event: yaml.Event, anchors: set[str]) -> None:
    """Keep the `&anchor` of an event in mind; `*Important` stands for one that there is not."""
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            problem = f"*{event.anchor} stands for a value of that name, and there is none"
            where: Any = event.start_mark  # libyaml's marks are of another class than PyYAML's
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=where)
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        anchors.add(event.anchor)


def _scalar(event: yaml.ScalarEvent | yaml.AliasEvent) -> str | None:
    if isinstance(event, yaml.AliasEvent) or (not event.style and event.value in _NULLS):
        return None
    return event.value
