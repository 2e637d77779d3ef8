"""The comparison itself: it must fail what differs."""

from __future__ import annotations

import pytest

from tests.oracle.matching import Matcher, status_difference

U1, U2 = "0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-0000-4000-8000-" + "1" * 12


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": None}, {}, False),
        ({}, {"a": None}, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ("<time>", "2026-01-01T00:00:00Z", True),
        ("<time>", "yesterday", False),
        (["<uid-1>", "<uid-1>"], [U1, U1], True),
        (["<uid-1>", "<uid-1>"], [U1, U2], False),
        (["<uid-1>", "<uid-2>"], [U1, U1], False),
        (["<rv-1>", "<rv-2>"], ["5", "5"], False),
        ("web-<gen-1>", "web-abcde", True),
        ("web-<gen-1>", "db-abcde", False),
        ({"nodePort": "<nodePort-1>"}, {"nodePort": 30001}, True),
        ({'k:{"uid":"<uid-1>"}': {}}, {f'k:{{"uid":"{U1}"}}': {}}, True),
        ("<none>", "<none>", True),
        ("<none>", "anything", False),
    ],
)
def test_answers_are_compared_whole(want, got, same):
    assert (Matcher().difference(want, got) == "") is same


def status(*fields):
    causes = [{"field": field, "message": text} for field, text in fields]
    message = "[" + ", ".join(f"{field}: {text}" for field, text in fields) + "]"
    return {"message": message, "details": {"causes": causes}}


def test_errors_of_one_map_may_come_in_another_order():
    one, other = status(("data[a]", "x"), ("data[b]", "y")), status(("data[b]", "y"), ("data[a]", "x"))
    assert status_difference(Matcher(), one, other) == ""


def test_errors_of_different_fields_may_not():
    one, other = status(("a", "x"), ("b", "y")), status(("b", "y"), ("a", "x"))
    assert status_difference(Matcher(), one, other) != ""


def test_another_error_of_a_map_is_a_difference():
    assert status_difference(Matcher(), status(("data[a]", "x")), status(("data[a]", "z"))) != ""
