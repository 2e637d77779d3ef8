"""Roles, ClusterRoles and their bindings, in kubectl's order; none has events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kctl.api.objects import Obj
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

HEADERS = ("Resources", "Non-Resource URLs", "Resource Names", "Verbs")


def role(obj: Obj) -> str:
    """Return the description of a Role or ClusterRole: a line a resource, as kubectl breaks rules down."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    layout.metadata(page, obj)
    page.line(0, "PolicyRule:")
    page.table(1, HEADERS, _compact([row for rule in obj.get("rules") or () for row in _rows(rule)]))
    return page.text()


Row = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _rows(rule: Obj) -> Iterator[Row]:
    """Yield a row per resource, or one for URLs (rbac.BreakdownRule)."""
    verbs = tuple(rule.get("verbs") or ())
    names = tuple(rule.get("resourceNames") or ())
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            yield f"{resource}.{group}" if group else resource, (), names, verbs
    for url in rule.get("nonResourceURLs") or ():
        yield "", (url,), (), verbs


def _compact(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Join the verbs of rows alike and sort them (validation.CompactRules, SortableRuleSlice)."""
    verbs: dict[tuple[str, tuple[str, ...], tuple[str, ...]], dict[str, None]] = {}
    for resource, urls, names, said in rows:
        verbs.setdefault((resource, urls, names), {}).update(dict.fromkeys(said))
    ordered = sorted(verbs, key=lambda place: (place[0], place[1], place[2]))
    return [
        (resource, f"[{' '.join(urls)}]", f"[{' '.join(names)}]", f"[{' '.join(verbs[resource, urls, names])}]")
        for resource, urls, names in ordered
    ]


def binding(obj: Obj) -> str:
    """Return the description of a RoleBinding or ClusterRoleBinding."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    layout.metadata(page, obj)
    page.line(0, "Role:")
    page.field(1, "Kind", obj["roleRef"]["kind"])
    page.field(1, "Name", obj["roleRef"]["name"])
    page.line(0, "Subjects:")
    rows = [(found["kind"], found["name"], found.get("namespace", "")) for found in obj.get("subjects") or ()]
    page.table(1, ("Kind", "Name", "Namespace"), rows)
    return page.text()
