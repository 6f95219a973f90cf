"""What the plugin itself answers: the same flashcards, cards, decks and reviews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from obs2anki import decks, extract, globs, markdown, settings
from obs2anki.data import FsrsReview, Review, Sm2Review
from tests import written

VECTORS = Path(__file__).parent.parent / "fixtures" / "vectors" / "plugin-1.15.4.jsonl"
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in VECTORS.read_text("utf-8").splitlines() if line
]


def schedule(review: Review | None) -> dict[str, object] | None:
    """A review as the vectors write it; they were made in UTC."""
    match review:
        case None:
            return None
        case Sm2Review(due, interval, ease):
            return {"due": due.isoformat(), "interval": interval, "ease": ease}
        case FsrsReview():
            last = review.last_review
            return {
                "due": review.due.date().isoformat(),
                "interval": review.interval,
                "stability": review.stability,
                "difficulty": review.difficulty,
                "state": review.state,
                "reps": review.reps,
                "lapses": review.lapses,
                "last_review": last
                and last.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }


def extracted(case: dict[str, Any]) -> list[dict[str, object]]:
    """What obs2anki makes of the one document of a case, in the vectors' form."""
    layer = settings.from_plugin(json.dumps(case["data_json"]), "data.json")
    in_force = settings.merge(settings.Settings(), layer)
    grammar = in_force.grammar
    document = written.document(case["markdown"], case["path"])
    if (
        globs.ignored_by(case["path"], grammar.folders_to_ignore)
        or decks.is_ignored(document, grammar)
        or not decks.has_topic(document, grammar)
    ):
        return []
    return [
        {
            "line": flashcard.line,
            "type": str(flashcard.type),
            "decks": list(flashcard.topics),
            "block_id": flashcard.block_id,
            "context": list(flashcard.context),
            "cards": [
                {
                    "front": markdown.trim(front),
                    "back": markdown.trim(back),
                    "schedule": schedule(flashcard.review(ordinal)),
                }
                for ordinal, (front, back) in enumerate(extract.faces(flashcard))
            ],
        }
        for flashcard in written.flashcards(case["markdown"], case["path"], in_force)
    ]


def test_all_229_cases_are_here() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) == 229


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_plugin_answers_the_same(case: dict[str, Any]) -> None:
    assert extracted(case) == case["flashcards"]
