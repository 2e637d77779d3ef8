"""Selectors say and match what labels.Parse and fields.ParseSelector do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import registry, selectors
from kctl.api.objects import Obj

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches", "written"),
    [
        ("", True, ""),
        ("app=web", True, "app=web"),
        ("app==web", True, "app==web"),
        ("app = web", True, "app=web"),
        ("app=api", False, "app=api"),
        ("app!=api", True, "app!=api"),
        ("nope!=x", True, "nope!=x"),
        ("nope=x", False, "nope=x"),
        ("app", True, "app"),
        ("!app", False, "!app"),
        ("! nope", True, "!nope"),
        ("app in (web,api)", True, "app in (api,web)"),
        ("app in (api)", False, "app in (api)"),
        ("app notin (api)", True, "app notin (api)"),
        ("nope notin (api)", True, "nope notin (api)"),
        ("in in (in)", False, "in in (in)"),
        ("n>4", True, "n>4"),
        ("n<5", False, "n<5"),
        ("app>4", False, "app>4"),
        ("nope>4", False, "nope>4"),
        ("empty=", True, "empty="),
        ("empty=,app", True, "app,empty="),
        ("empty in ()", True, "empty in ()"),
        ("empty in (,a)", True, "empty in (,a)"),
        ("tier,app=web", True, "app=web,tier"),
        ("example.com/a!=b", True, "example.com/a!=b"),
    ],
)
def test_label_selectors(text: str, matches: bool, written: str) -> None:
    selector = selectors.parse(text)
    assert selector.matches(LABELS) is matches
    assert str(selector) == written
    assert selectors.parse(written) == selector


NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("tier=a b", "found 'b', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("tier in a", "unable to parse requirement: found 'a' expected: '('"),
        ("tier in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("tier in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("tier in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("n gt 2", "unable to parse requirement: found 'gt', expected: in, notin, =, ==, !=, gt, lt"),
        ("n>=2", "unable to parse requirement: found '=', expected: identifier"),
        (
            "n>a",
            'unable to parse requirement: values[0]: Invalid value: "a": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("!=a", "found '!=', expected: !, identifier, or 'end of string'"),
        ("-a=b", f'unable to parse requirement: <nil>: Invalid value: "-a": name part {NAME}'),
        ("tier=A_", f'unable to parse requirement: values[0][tier]: Invalid value: "A_": {VALUE}'),
    ],
)
def test_what_is_no_label_selector_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        selectors.parse(text)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_label_selectors_of_objects(selector: Obj | None, matches: bool) -> None:
    assert selectors.from_label_selector(selector).matches(LABELS) is matches


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match=r'^"Like" is not a valid label selector operator$'):
        selectors.from_label_selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})


def test_absent_selects_nothing_and_empty_everything() -> None:
    assert selectors.from_label_selector(None) == selectors.NOTHING
    assert selectors.from_label_selector({}).empty
    assert selectors.from_labels(None).empty
    assert not selectors.NOTHING.empty
    assert selectors.from_labels({"b": "1", "a": "2"}) == selectors.parse("a=2,b=1")
    assert str(selectors.from_labels({"b": "1", "a": "2"})) == "a=2,b=1"


def test_the_one_possible_value_of_a_key() -> None:
    selector = selectors.parse("a=1,b in (2),c in (3,4),d")
    assert [selector.exact(key) for key in "abcde"] == ["1", "2", None, None, None]


POD: Obj = {
    "metadata": {"name": "p", "namespace": "ns"},
    "spec": {"nodeName": "n1", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name==p,spec.nodeName=n1", True),
        ("metadata.name!=p", False),
        ("spec.nodeName=", False),
        ("spec.nodeName!=", True),
        ("spec.hostNetwork=true", True),
        ("status.podIP=", True),
        ("status.phase!=Running", False),
        ("spec.unschedulable=false", True),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    assert selectors.fields(text).matches(POD) is matches


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("cm", "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("cm", "a=b=c", "invalid selector: 'a=b=c'; can't understand 'a=b=c'"),
        ("pod", "spec.foo=x", "field label not supported: spec.foo"),
        ("cm", "=c1", '"" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        (
            "deploy",
            "spec.replicas=1",
            '"spec.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("events.events.k8s.io", "involvedObject.name=x", "field label not supported: involvedObject.name"),
    ],
)
def test_fields_a_kind_cannot_be_selected_by_are_refused(kind: str, text: str, message: str) -> None:
    found = registry.builtin().find(kind)
    assert found is not None
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        selectors.fields(text).check(found)


def test_events_are_selected_by_what_they_are_about_in_both_groups() -> None:
    event = {"involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet"}, "reason": "Started"}
    assert selectors.fields("involvedObject.kind=Pod,source=kubelet,reason=Started").matches(event)
    assert selectors.fields("regarding.name=p").matches(event)


WORDS = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)


@settings(max_examples=100)
@given(st.dictionaries(WORDS, WORDS, max_size=3), st.dictionaries(WORDS, WORDS, max_size=3))
def test_a_set_of_labels_selects_its_supersets_alone(wanted: dict[str, str], labels: dict[str, str]) -> None:
    selector = selectors.from_labels(wanted)
    assert selector.matches({**labels, **wanted})
    assert selector.matches(labels) == (wanted.items() <= labels.items())
    assert selectors.parse(str(selector)).matches(labels) == selector.matches(labels)


@settings(max_examples=150)
@given(st.text(alphabet="ab=!(),<> in", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selector = selectors.parse(text)
    except ValueError:
        return
    assert selectors.parse(str(selector)) == selector
