"""Texts as they are compared, and digests: short names for those that are only compared.

"- What  is it?"  ->  "What is it?"  ->  12 hexadecimal digits
"""

from __future__ import annotations

import hashlib
import re

from obs2anki import markdown

_MARKS = re.compile(r"(?:(?:[-*+>]|#{1,6}|[0-9]{1,3}[.)]|\[[ xX]\]) )+")

_MARKING = frozenset("-*+>#[0123456789")


def digest(*texts: str) -> str:
    """12 hexadecimal digits that change when any of the texts does."""
    try:
        # Each apart: one that is not ASCII would make all of them wide.
        encoded = b"\x1f".join([text.encode() for text in texts])
    except UnicodeEncodeError:
        encoded = "\x1f".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).hexdigest()[:12]


def comparable(side: str) -> str:
    """A side in one form of Unicode and white space, without the marks that open it.

    A question that becomes an item of a list, a quote or a heading asks the same.
    """
    text = markdown.normalised(side)
    if text[:1] not in _MARKING:
        return text
    marks = _MARKS.match(text)
    return (text[marks.end() :] or text) if marks else text
