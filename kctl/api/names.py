"""Names and identifiers that derive from what they belong to.

A child's name is a function of its owner's uid and a slot number, so that a controller that
decides twice on the same facts makes the same name twice and collides instead of duplicating.
The map from slot to suffix is a bijection, so the slot can be read back from a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The safe letters of k8s.io/apimachinery/pkg/util/rand."""
DIGITS = {letter: digit for digit, letter in enumerate(ALPHABET)}
"""What each of them stands for."""
SUFFIX = 5
SPACE = len(ALPHABET) ** SUFFIX
MAX_BASE = 58
"""Upstream cuts the base of a generated name so that the whole is at most 63 characters."""
MAX_SLOT = 1_000_000
"""A name that decodes to a higher slot was not made here."""


VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""What the hexadecimal digit behind the third dash of a UUID becomes."""


def uid(*parts: object) -> str:
    """Return a UUID (version 4 in form) that is a function of the parts."""
    return uid_of("\0".join(map(str, parts)))


def uid_of(parts: str) -> str:
    """Return the UUID of parts that are joined already, by NUL."""
    text = blake2b(parts.encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=8192)
def _permutation(owner: str) -> tuple[int, int, int]:
    """Return factor, offset and inverse factor of the owner's affine map modulo SPACE."""
    digest = blake2b(owner.encode(), digest_size=16).digest()
    factor = int.from_bytes(digest[:8]) % SPACE
    while factor % 3 == 0 or factor < SPACE // 27:  # coprime to 27**5, and no short steps
        factor = (factor * 5 + 7) % SPACE
    return factor, int.from_bytes(digest[8:]) % SPACE, pow(factor, -1, SPACE)


def suffix(owner: str, slot: int) -> str:
    """Return the five letters of a slot of an owner (its uid, or any other identity)."""
    factor, offset, _ = _permutation(owner)
    number = (factor * slot + offset) % SPACE
    letters = []
    for _ in range(SUFFIX):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(reversed(letters))


def child_name(base: str, owner: str, slot: int) -> str:
    """Return ``base`` (cut to 58 characters, as upstream's name generator) with the suffix.

    ``base`` ends in its own separator: ``web-7c9-``.
    """
    return base[:MAX_BASE] + suffix(owner, slot)


@lru_cache(maxsize=1 << 15)
def slot_of(name: str, owner: str) -> int | None:
    """Return the slot a child's name was made from, or None when it was not made here."""
    return next(_slots_of((name,), owner), None)


def _slots_of(names: Iterable[str], owner: str) -> Iterator[int]:
    """Yield the slots of those of the names that were made here."""
    _, offset, inverse = _permutation(owner)
    for name in names:
        number = 0
        for letter in name[-SUFFIX:]:
            digit = DIGITS.get(letter)
            if digit is None:
                break
            number = number * len(ALPHABET) + digit
        else:
            slot = (number - offset) * inverse % SPACE
            if slot < MAX_SLOT:
                yield slot


def next_slots(owner: str, names: Iterable[str], count: int) -> list[int]:
    """Return ``count`` slots above every one in use by ``names``.

    Higher, not lowest free: a pod that replaces a deleted one gets a new name, as upstream.
    """
    first = max(_slots_of(names, owner), default=-1) + 1
    return list(range(first, first + count))


def fnv32a(data: bytes) -> int:
    """Return the FNV-1a hash of 32 bits, which upstream uses for template hashes."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def safe_encode(number: int) -> str:
    """Write a number in decimal with each digit mapped to the safe alphabet (rand.SafeEncodeString)."""
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(number))
