"""Texts as keys of caches: long ones as their digest, or a cache of stack traces would hold all of these."""

import hashlib

LONGEST = 128
"""Characters of a text that is a key as it is, which is quicker."""

_BYTES = 16

Key = str | bytes


def key(text: str) -> Key:
    """Return what stands for a text: the same for the same text, and in all likelihood for no other.

    Examples
    --------
    >>> key("disk full"), len(key("disk full" * 100_000))
    ('disk full', 16)
    """
    return text if len(text) <= LONGEST else hashlib.blake2b(text.encode(), digest_size=_BYTES).digest()
