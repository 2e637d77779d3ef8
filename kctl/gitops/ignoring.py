"""What a diff leaves out: fields by JSON pointer, and fields that other managers own.

Rules come from the command line (``deployments.apps/web:/spec/replicas``) or, in the form of
Argo CD's ``ignoreDifferences``, from ``kctl.yaml``. A field that is left out counts as what it is
now, so an object that differs nowhere else is unchanged. Nothing here changes what an apply does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from kctl.api import schema
from kctl.api.errors import FieldError, UsageError, invalid, required
from kctl.api.objects import Obj
from kctl.api.registry import Registry
from kctl.gitops import fielddiff
from kctl.gitops.changes import Change

FIELDS = ("group", "kind", "name", "namespace", "jsonPointers", "managedFieldsManagers")
ABSENT: Any = object()


class Rule(NamedTuple):
    """Which objects ("" and ``*``: all), and what of them; names may hold ``*``."""

    group: str = "*"
    kind: str = "*"
    namespace: str = ""
    name: str = ""
    pointers: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def concerns(self, change: Change) -> bool:
        """Say whether the rule is about an object."""
        group = change.api_version.partition("/")[0] if "/" in change.api_version else ""
        pairs = (
            (group, self.group),
            (change.kind, self.kind),
            (change.namespace, self.namespace or "*"),
            (change.name, self.name or "*"),
        )
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


def of_text(text: str, registry: Registry) -> Rule:
    """Read ``[TYPE[/NAME]:]POINTER``; UsageError when it is none."""
    what, colon, pointer = text.partition(":")
    if not colon:
        what, pointer = "", text
    if not pointer.startswith("/"):
        raise UsageError(f"{text!r}: ignore a JSON pointer, as deployments.apps/web:/spec/replicas")
    type_, _, name = what.partition("/")
    if not type_:
        return Rule(pointers=(pointer,))
    kind = registry.find(type_)
    if kind is None:
        raise UsageError(f'the server doesn\'t have a resource type "{type_}"')
    return Rule(kind.group, kind.kind, "", name, (pointer,))


def of_data(listed: Any, path: str, errors: list[FieldError]) -> tuple[Rule, ...]:
    """Read ``ignoreDifferences`` as Argo CD writes it; what is wrong is added to ``errors``."""
    if not isinstance(listed, list):
        errors.append(invalid(path, listed, "must be a list"))
        return ()
    return tuple(_rule(entry, f"{path}[{n}]", errors) for n, entry in enumerate(listed))


def _rule(entry: Any, path: str, errors: list[FieldError]) -> Rule:
    if not isinstance(entry, dict):
        errors.append(invalid(path, entry, "must be a map"))
        return Rule()
    for field in sorted(set(entry) - set(FIELDS)):
        known = "jq expressions are not built" if field == "jqPathExpressions" else f"known are {', '.join(FIELDS)}"
        errors.append(invalid(f"{path}.{field}", entry[field], f"unknown field; {known}"))
    if not entry.get("kind"):
        errors.append(required(f"{path}.kind", ""))
    lists = {field: entry.get(field) or [] for field in ("jsonPointers", "managedFieldsManagers")}
    for field, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            errors.append(invalid(f"{path}.{field}", value, "must be a list of strings"))
            lists[field] = []
    for n, pointer in enumerate(lists["jsonPointers"]):
        if not pointer.startswith("/"):
            errors.append(invalid(f"{path}.jsonPointers[{n}]", pointer, "must begin with a slash"))
    group, kind, namespace, name = (str(entry.get(key) or "") for key in ("group", "kind", "namespace", "name"))
    return Rule(group, kind, namespace, name, tuple(lists["jsonPointers"]), tuple(lists["managedFieldsManagers"]))


def without(change: Change, rules: Iterable[Rule], registry: Registry, *, secrets: bool = False) -> Change:
    """Return the change without what the rules leave out; ``unchanged`` when nothing is left of it."""
    mine = [rule for rule in rules if rule.concerns(change)]
    before, after = change.before, change.after
    if not mine or before is None or after is None or change.change != "configured":
        return change
    for rule in mine:
        for pointer in rule.pointers:
            after = _as_before(before, after, [_unescaped(step) for step in pointer.split("/")[1:]])
        for entry in before["metadata"].get("managedFields") or ():
            if entry.get("manager") in rule.managers:
                after = _as_owned(before, after, entry.get("fieldsV1") or {})
    kind = registry.by_kind(change.api_version, change.kind)
    fields = tuple(fielddiff.changes(before, after, schema.of(kind) if kind else None, secrets=secrets))
    return change._replace(change="configured" if fields else "unchanged", fields=fields, after=after)


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def _as_before(before: Any, after: Any, steps: Sequence[str]) -> Any:
    """Return ``after`` with one value as it is in ``before``; a list's items are named by their index."""
    first, *rest = steps
    if isinstance(after, list):
        n = int(first) if first.isdigit() else -1
        if not isinstance(before, list) or not 0 <= n < min(len(before), len(after)):
            return after
        new = _as_before(before[n], after[n], rest) if rest else before[n]
        return [*after[:n], new, *after[n + 1 :]]
    if not isinstance(after, dict):
        return after
    old = before.get(first, ABSENT) if isinstance(before, dict) else ABSENT
    if rest:
        return {**after, first: _as_before(old, after[first], rest)} if first in after else after
    others = {name: value for name, value in after.items() if name != first}
    return others if old is ABSENT else {**others, first: old}


def _as_owned(before: Any, after: Any, fields: Mapping[str, Any]) -> Any:
    """Return ``after`` with the values of a field set as they are in ``before``."""
    for element, below in fields.items():
        kind, _, text = element.partition(":")
        if kind == "f" and isinstance(after, dict) and isinstance(before, dict):
            below = {name: value for name, value in below.items() if name != "."}
            if not below:
                after = _as_before(before, after, [text])
            elif text in after and text in before:
                after = {**after, text: _as_owned(before[text], after[text], below)}
        elif kind == "k" and isinstance(after, list) and isinstance(before, list):
            after = _item_as_owned(before, after, json.loads(text), below)
    return after


def _item_as_owned(before: Sequence[Any], after: list[Any], keys: Obj, below: Mapping[str, Any]) -> list[Any]:
    old = next((item for item in before if _has(item, keys)), None)
    return after if old is None else [_as_owned(old, item, below) if _has(item, keys) else item for item in after]


def _has(item: Any, keys: Obj) -> bool:
    return isinstance(item, dict) and all(item.get(name) == value for name, value in keys.items())
