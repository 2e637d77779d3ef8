"""Validation of roles and bindings.

In comes an object (and the old one); complaints are appended as pkg/apis/rbac/validation orders
them.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta
from kctl.api.validation.meta import Errors, formatted

GROUP = "rbac.authorization.k8s.io"
SUBJECTS = ("ServiceAccount", "User", "Group")


def role(obj: Obj, out: Errors) -> None:
    """Check a Role."""
    for n, rule in enumerate(obj.get("rules") or ()):
        _rule(rule, f"rules[{n}]", out, namespaced=True)


def cluster_role(obj: Obj, out: Errors) -> None:
    """Check a ClusterRole."""
    for n, rule in enumerate(obj.get("rules") or ()):
        _rule(rule, f"rules[{n}]", out, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return
    at = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        out.append(errors.required(at, text))
    for n, selector in enumerate(selectors):
        meta.selector(selector, f"{at}[{n}]", out)
        if meta.selector_error(selector):
            out.append(errors.invalid(f"{at}[{n}]", None, "invalid label selector."))


def _rule(rule: Obj, at: str, out: Errors, *, namespaced: bool) -> None:
    """Check one rule: verbs on resources, or on paths."""
    if not rule.get("verbs"):
        out.append(errors.required(f"{at}.verbs", "verbs must contain at least one value"))
    paths = rule.get("nonResourceURLs")
    if paths:
        here = f"{at}.nonResourceURLs"
        if namespaced:
            out.append(errors.invalid(here, paths, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            out.append(errors.invalid(here, paths, text))
        return
    if not rule.get("apiGroups"):
        out.append(errors.required(f"{at}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        out.append(errors.required(f"{at}.resources", "resource rules must supply at least one resource"))


def role_binding(obj: Obj, out: Errors) -> None:
    """Check a RoleBinding."""
    _binding(obj, ("Role", "ClusterRole"), out, namespaced=True)


def cluster_role_binding(obj: Obj, out: Errors) -> None:
    """Check a ClusterRoleBinding."""
    _binding(obj, ("ClusterRole",), out, namespaced=False)


def _binding(obj: Obj, kinds: tuple[str, ...], out: Errors, *, namespaced: bool) -> None:
    """Check the role and who has it."""
    ref = obj.get("roleRef") or {}
    if ref.get("apiGroup") != GROUP:
        out.append(errors.not_supported("roleRef.apiGroup", ref.get("apiGroup") or "", (GROUP,)))
    if ref.get("kind") not in kinds:
        out.append(errors.not_supported("roleRef.kind", ref.get("kind") or "", kinds))
    if not ref.get("name"):
        out.append(errors.required("roleRef.name"))
    else:
        formatted(formats.path_segment, ref["name"], "roleRef.name", out)
    for n, subject in enumerate(obj.get("subjects") or ()):
        _subject(subject, f"subjects[{n}]", out, namespaced=namespaced)


def _subject(value: Obj, at: str, out: Errors, *, namespaced: bool) -> None:
    """Check one subject."""
    kind, name, group = (value.get(field) or "" for field in ("kind", "name", "apiGroup"))
    if not name:
        out.append(errors.required(f"{at}.name"))
    if kind == "ServiceAccount":
        if name:
            formatted(formats.dns_subdomain, name, f"{at}.name", out)
        if group:
            out.append(errors.not_supported(f"{at}.apiGroup", group, ("",)))
        if not namespaced and not value.get("namespace"):
            out.append(errors.required(f"{at}.namespace"))
    elif kind in SUBJECTS:
        if group != GROUP:
            out.append(errors.not_supported(f"{at}.apiGroup", group, (GROUP,)))
    else:
        out.append(errors.not_supported(f"{at}.kind", kind, SUBJECTS))


def binding_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed binding: its role stays."""
    ref = new.get("roleRef") or {}
    if ref != (old.get("roleRef") or {}):
        out.append(errors.invalid("roleRef", internal.shown("RoleRef", ref), "cannot change roleRef"))
