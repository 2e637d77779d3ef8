"""Names and identifiers derive from what they belong to, and slots can be read back."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import names

OWNERS = st.uuids().map(str)
SLOTS = st.integers(0, names.MAX_SLOT - 1)


@settings(max_examples=300)
@given(OWNERS, SLOTS)
def test_a_slot_can_be_read_back_from_its_name(owner: str, slot: int) -> None:
    name = names.child_name("web-", owner, slot)
    assert re.fullmatch(f"web-[{names.ALPHABET}]{{5}}", name)
    assert names.slot_of(name, owner) == slot


@settings(max_examples=100)
@given(OWNERS, st.sets(SLOTS, min_size=2, max_size=20))
def test_two_slots_of_an_owner_never_share_a_name(owner: str, slots: set[int]) -> None:
    assert len({names.suffix(owner, slot) for slot in slots}) == len(slots)


def test_the_first_thousand_names_of_an_owner_differ() -> None:
    assert len({names.suffix("owner", slot) for slot in range(1000)}) == 1000


def test_owners_number_their_children_differently() -> None:
    assert [names.suffix("a", n) for n in range(5)] != [names.suffix("b", n) for n in range(5)]


@pytest.mark.parametrize("name", ["web-aeiou", "web-", "", "web-ABCDE", "web-1111x"])
def test_a_name_with_other_letters_was_not_made_here(name: str) -> None:
    assert names.slot_of(name, "owner") is None


def test_a_name_of_a_slot_out_of_range_was_not_made_here() -> None:
    assert names.slot_of("web-" + names.suffix("owner", names.MAX_SLOT + 5), "owner") is None


def test_a_long_base_is_cut_so_that_the_name_fits_a_label() -> None:
    assert len(names.child_name("x" * 80, "owner", 1)) == 63


def test_new_slots_are_above_all_in_use() -> None:
    used = [names.child_name("web-", "owner", slot) for slot in (0, 3)]
    assert names.next_slots("owner", used, 2) == [4, 5]
    assert names.next_slots("owner", ["web-aeiou"], 2) == [0, 1]
    assert names.next_slots("owner", [], 0) == []


@settings(max_examples=100)
@given(st.lists(st.text(max_size=5), max_size=4))
def test_a_uid_is_a_version_4_uuid_and_a_function_of_its_parts(parts: list[str]) -> None:
    made = names.uid(*parts)
    assert uuid.UUID(made).version == 4
    assert str(uuid.UUID(made)) == made
    assert made == names.uid(*parts)
    assert made != names.uid(*parts, "more")


@pytest.mark.parametrize(("data", "want"), [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)])
def test_fnv_1a_has_its_published_values(data: bytes, want: int) -> None:
    assert names.fnv32a(data) == want


def test_hashes_are_written_in_safe_letters() -> None:
    assert names.safe_encode(0) == names.ALPHABET[ord("0") % len(names.ALPHABET)]
    assert set(names.safe_encode(1234567890)) <= set(names.ALPHABET)
    assert len(names.safe_encode(1234567890)) == 10
