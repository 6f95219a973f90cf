"""Digests: short names for texts that are only compared."""

from __future__ import annotations

import hashlib


def digest(*texts: str) -> str:
    """12 hexadecimal digits that change when any of the texts does."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
