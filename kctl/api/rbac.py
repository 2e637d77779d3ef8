"""RBAC rules as values: what a rule allows, what a set of rules covers, how one is written.

In: PolicyRules as they stand in Roles. Out: whether they allow a request
(plugin/pkg/auth/authorizer/rbac), which of them somebody lacks who wants to grant them
(pkg/registry/rbac/validation), and what an aggregating ClusterRole gathers. Who has which rules
is not here but in :mod:`kctl.apiserver.rbac`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from kctl.api.objects import Obj

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
FULL_AUTHORITY: list[Obj] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
"""What somebody must hold who sets an aggregationRule."""


def allows_resource(rule: Obj, verb: str, group: str, resource: str, subresource: str) -> bool:
    """Say whether a rule allows a verb on a resource, its resourceNames aside, as RuleAllows."""
    verbs, groups, resources = rule.get("verbs") or (), rule.get("apiGroups") or (), rule.get("resources") or ()
    if not (verb in verbs or "*" in verbs) or not (group in groups or "*" in groups):
        return False
    combined = f"{resource}/{subresource}" if subresource else resource
    return combined in resources or "*" in resources or (bool(subresource) and f"*/{subresource}" in resources)


def allows_name(rule: Obj, name: str) -> bool:
    """Say whether a rule's resourceNames let the name through; without any, every name passes."""
    names = rule.get("resourceNames")
    return not names or name in names


def allows_path(rule: Obj, verb: str, path: str) -> bool:
    """Say whether a rule allows a verb on a path that is no resource."""
    verbs = rule.get("verbs") or ()
    return (verb in verbs or "*" in verbs) and any(_path_fits(url, path) for url in rule.get("nonResourceURLs") or ())


def _path_fits(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))


def split(rule: Obj) -> Iterator[Obj]:
    """Yield the rule as rules of one verb, group, resource and name each, as BreakdownRule."""
    names = rule.get("resourceNames") or ()
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                single: Obj = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                if not names:
                    yield single
                for name in names:
                    yield {**single, "resourceNames": [name]}
    for url in rule.get("nonResourceURLs") or ():
        for verb in rule.get("verbs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def lacking(owned: Sequence[Obj], wanted: Iterable[Obj]) -> list[Obj]:
    """Return what of the wanted rules no single owned rule covers, as Covers; in small rules."""
    return [single for rule in wanted for single in split(rule) if not any(_covers(own, single) for own in owned)]


def _covers(owner: Obj, single: Obj) -> bool:
    """Say whether a rule allows all that a rule of one verb allows, as ruleCovers."""
    verbs = owner.get("verbs") or ()
    if "*" not in verbs and single["verbs"][0] not in verbs:
        return False
    if "nonResourceURLs" in single:
        asked = single["nonResourceURLs"][0]
        return any(_path_fits(url, asked) for url in owner.get("nonResourceURLs") or ())
    groups = owner.get("apiGroups") or ()
    if "*" not in groups and single["apiGroups"][0] not in groups:
        return False
    names = owner.get("resourceNames")
    if names and (single.get("resourceNames") or [None])[0] not in names:
        return False
    resource = single["resources"][0]
    owned = owner.get("resources") or ()
    return "*" in owned or resource in owned or ("/" in resource and f"*/{resource.partition('/')[2]}" in owned)


def compacted(rules: Iterable[Obj]) -> list[Obj]:
    """Return the rules with the verbs of each plain group and resource joined, as CompactRules."""
    found: dict[object, Obj] = {}
    for n, rule in enumerate(rules):
        single = len(rule.get("apiGroups") or ()) == 1 and len(rule.get("resources") or ()) == 1
        if not single or rule.get("resourceNames") or rule.get("nonResourceURLs"):
            found[n] = rule
            continue
        place = (rule["apiGroups"][0], rule["resources"][0])
        known = found.get(place)
        verbs = [*known["verbs"], *rule["verbs"]] if known else list(rule["verbs"])
        found[place] = {**rule, "verbs": verbs}
    return list(found.values())


PARTS = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def written(rule: Obj) -> str:
    """Write a rule as a refusal quotes it, as CompactString."""
    parts = (f"{word}:{quoted(rule[field])}" for word, field in PARTS if rule.get(field))
    return "{" + ", ".join(parts) + "}"


def quoted(values: Iterable[str]) -> str:
    """Write strings as Go's %q writes a list of them."""
    return "[" + " ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"


def subject_user(subject: Obj, namespace: str) -> tuple[str, str]:
    """Return ("User" or "Group", name) of whom a subject means; a ServiceAccount is a user by its long name."""
    kind, name = subject.get("kind") or "", subject.get("name") or ""
    if kind == "ServiceAccount":
        return "User", f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return kind, name


def subject_written(subject: Obj, namespace: str) -> str:
    """Write a subject as the reason of an allowed request names it."""
    name = subject.get("name") or ""
    if subject.get("kind") == "ServiceAccount":
        name = f"{name}/{subject.get('namespace') or namespace}"
    return f'{subject.get("kind")} "{name}"'


def aggregated(role: Obj, others: Iterable[Obj]) -> list[Obj]:
    """Return the rules that an aggregating ClusterRole has: those its selectors find, by name, once each."""
    from kctl.api import selectors

    picked = [
        selectors.from_label_selector(each) for each in (role.get("aggregationRule") or {})["clusterRoleSelectors"]
    ]
    own = role["metadata"]["name"]
    out: list[Obj] = []
    by_name = sorted(others, key=lambda each: str(each["metadata"]["name"]))
    for selector in picked:
        for other in by_name:
            if other["metadata"]["name"] == own or not selector.matches(other["metadata"].get("labels") or {}):
                continue
            out += [rule for rule in other.get("rules") or () if rule not in out]
    return out


def is_aggregating(role: Obj) -> bool:
    """Say whether a ClusterRole gathers its rules from others."""
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))
