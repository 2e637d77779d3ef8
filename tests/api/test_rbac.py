"""RBAC rules: what they allow, what covers what, how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import rbac
from kctl.api.objects import Obj


def rule(verbs: str, groups: str = "", resources: str = "pods", names: str = "") -> Obj:
    made: Obj = {"verbs": verbs.split(","), "apiGroups": groups.split(","), "resources": resources.split(",")}
    return {**made, "resourceNames": names.split(",")} if names else made


@pytest.mark.parametrize(
    ("having", "asked", "allowed"),
    [
        pytest.param(rule("get"), ("get", "", "pods", ""), True, id="just that"),
        pytest.param(rule("get"), ("list", "", "pods", ""), False, id="another verb"),
        pytest.param(rule("get"), ("get", "apps", "pods", ""), False, id="another group"),
        pytest.param(rule("get"), ("get", "", "pods", "log"), False, id="a subresource is not its parent"),
        pytest.param(rule("get", resources="pods/log"), ("get", "", "pods", "log"), True, id="a subresource"),
        pytest.param(rule("get", resources="pods/log"), ("get", "", "pods", ""), False, id="the parent is not meant"),
        pytest.param(rule("get", resources="*/scale"), ("get", "", "pods", "scale"), True, id="any resource's scale"),
        pytest.param(rule("get", resources="*/scale"), ("get", "", "pods", ""), False, id="scale alone"),
        pytest.param(rule("*", "*", "*"), ("x", "y", "z", "w"), True, id="everything"),
        pytest.param(rule("GET", resources="Pods"), ("get", "", "pods", ""), False, id="case counts"),
    ],
)
def test_a_rule_allows(having: Obj, asked: tuple[str, str, str, str], allowed: bool) -> None:
    assert rbac.allows_resource(having, *asked) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/a", "/a", True),
        ("/a", "/a/", False),
        ("/a/*", "/a/b/c", True),
        ("/a/*", "/a", False),
        ("/a*", "/ab", True),
        ("*", "/x", True),
    ],
)
def test_a_path_is_allowed(url: str, path: str, allowed: bool) -> None:
    assert rbac.allows_path({"verbs": ["get"], "nonResourceURLs": [url]}, "get", path) is allowed
    assert not rbac.allows_path({"verbs": ["get"], "nonResourceURLs": [url]}, "post", path)


@pytest.mark.parametrize(
    ("owned", "wanted", "missing"),
    [
        pytest.param([rule("get,list")], [rule("get")], [], id="less than one holds"),
        pytest.param([rule("get")], [rule("get,list")], [rule("list")], id="one verb more"),
        pytest.param([rule("get"), rule("list")], [rule("get,list")], [], id="from two rules"),
        pytest.param([rule("get", names="a")], [rule("get")], [rule("get")], id="all names from one"),
        pytest.param([rule("get")], [rule("get", names="a")], [], id="one name from all"),
        pytest.param([rule("*", "*", "*")], [rule("x", "y", "z/w", "v")], [], id="everything covers all"),
        pytest.param([rule("get", resources="*/log")], [rule("get", resources="pods/log")], [], id="every log"),
        pytest.param(
            [{"verbs": ["get"], "nonResourceURLs": ["/a/*"]}],
            [{"verbs": ["get"], "nonResourceURLs": ["/a/b", "/c"]}],
            [{"verbs": ["get"], "nonResourceURLs": ["/c"]}],
            id="paths",
        ),
    ],
)
def test_what_is_lacking(owned: list[Obj], wanted: list[Obj], missing: list[Obj]) -> None:
    assert rbac.lacking(owned, wanted) == missing


def test_rules_are_compacted_and_written_as_upstream() -> None:
    small = [rule("get"), rule("list"), rule("get", names="a"), {"verbs": ["get"], "nonResourceURLs": ["/x"]}]
    assert [rbac.written(each) for each in rbac.compacted(small)] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
    ]


def test_a_role_gathers_others_by_name_and_each_rule_once() -> None:
    labels = {"aggregate": "yes"}
    roles: list[Obj] = [
        {"metadata": {"name": "b", "labels": labels}, "rules": [rule("list"), rule("get")]},
        {"metadata": {"name": "a", "labels": labels}, "rules": [rule("get")]},
        {"metadata": {"name": "c"}, "rules": [rule("delete")]},
        {
            "metadata": {"name": "all", "labels": labels},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": labels}]},
        },
    ]
    assert rbac.aggregated(roles[-1], roles) == [rule("get"), rule("list")]


WORDS = st.lists(st.sampled_from(["get", "list", "*", "pods", "pods/log", "*/log", "apps", ""]), min_size=1, max_size=3)
RULES = st.builds(
    lambda verbs, groups, resources, names: {
        "verbs": verbs,
        "apiGroups": groups,
        "resources": resources,
        **({"resourceNames": names} if names else {}),
    },
    WORDS,
    WORDS,
    WORDS,
    st.lists(st.sampled_from("ab"), max_size=2),
)


@settings(max_examples=60)
@given(st.lists(RULES, max_size=3))
def test_whoever_holds_rules_may_grant_them(rules: list[Obj]) -> None:
    assert rbac.lacking(rules, rules) == []
    assert rbac.lacking(rbac.FULL_AUTHORITY, rules) == []


@settings(max_examples=60)
@given(RULES, RULES, st.sampled_from(["get", "list"]), st.sampled_from(["", "apps"]), st.sampled_from(["", "log"]))
def test_what_is_covered_allows_no_more(owner: Obj, wanted: Obj, verb: str, group: str, sub: str) -> None:
    if rbac.lacking([owner], [wanted]):
        return
    for name in "abc":
        if rbac.allows_resource(wanted, verb, group, "pods", sub) and rbac.allows_name(wanted, name):
            assert rbac.allows_resource(owner, verb, group, "pods", sub)
            assert rbac.allows_name(owner, name)
