"""The rules in CEL of a custom resource's schema (``x-kubernetes-validations``), carried out.

In: an object, on an update also the one before. Out: field errors, in the words and order of
apiextensions-apiserver pkg/apiserver/schema/cel/validation.go: a rule sees its own place as ``self``
and, where old and new belong together, as ``oldSelf``. All rules of an object share one budget.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from kctl.api.cel import program
from kctl.api.cel.errors import CompileError, CostExceeded, EvaluationError
from kctl.api.cel.program import BUDGET, MESSAGE_BYTES, PER_CALL, Program
from kctl.api.cel.values import NONE, Optional
from kctl.api.crd import typed
from kctl.api.crd.paths import BadPath, resolve
from kctl.api.crd.values import NOTHING, correlated
from kctl.api.errors import OMITTED, FieldError, duplicate, forbidden_field, invalid, required
from kctl.api.objects import Obj

NAME = "x-kubernetes-validations"
EXHAUSTED = "validation failed due to running out of cost budget, no further validation rules will be run"


class Rule(NamedTuple):
    """One rule, compiled."""

    rule: Obj
    program: Program | None
    error: str
    message: Program | None
    uses_old: bool
    field: str

    @property
    def is_optional(self) -> bool:
        """Say whether ``oldSelf`` may be absent."""
        return bool(self.rule.get("optionalOldSelf"))

    @property
    def shown(self) -> str:
        """What errors call the rule."""
        return str(self.rule.get("message") or self.rule["rule"]).strip()


class Node(NamedTuple):
    """The rules of one place in a schema, and of the places below that have any."""

    schema: Obj
    rules: tuple[Rule, ...]
    items: Node | None
    additional: Node | None
    properties: dict[str, Node]
    all_of: tuple[Node, ...]


class _Out(Exception):
    """The budget is spent."""


class Rules:
    """The rules of one schema, compiled."""

    def __init__(self, root: Node | None) -> None:
        self._root = root

    def check(self, new: Obj, old: Obj | None) -> list[FieldError]:
        """Return what the rules say of an object."""
        if self._root is None:
            return []
        walk = _Walk()
        with suppress(_Out):
            walk.place(self._root, "", new, NOTHING if old is None else old, same=False)
        return walk.errors


def compiled(schema: Obj) -> Rules:
    """Return the rules of a schema."""
    return Rules(_node(schema, schema, is_root=True))


def _node(schema: Obj, outer: Obj, *, is_root: bool = False) -> Node | None:
    """Compile the rules of one place and all below it; None where there are none."""
    from kctl.api.crd import declared

    own = schema.get(NAME) or ()
    declaration = declared.type_of(outer, is_root=is_root) if own else None
    rules = tuple(compile_rule(rule, outer, declaration) for rule in own)
    items, additional = schema.get("items"), schema.get("additionalProperties")
    outer_items, outer_rest = outer.get("items"), outer.get("additionalProperties")
    below = _node(items, outer_items) if isinstance(items, dict) and isinstance(outer_items, dict) else None
    rest = _node(additional, outer_rest) if isinstance(additional, dict) and isinstance(outer_rest, dict) else None
    properties: dict[str, Node] = {}
    for name, child in (schema.get("properties") or {}).items():
        spine = (outer.get("properties") or {}).get(name)
        found = _node(child, spine) if spine is not None else None
        if found is not None:
            properties[name] = found
    all_of = tuple(
        found for one in schema.get("allOf") or () if (found := _node(one, outer, is_root=is_root)) is not None
    )
    if not (rules or below or rest or properties or all_of):
        return None
    return Node(outer, rules, below, rest, properties, all_of)


def compile_rule(rule: Obj, schema: Obj, declaration: Any) -> Rule:
    """Compile a rule and its message."""
    text = rule.get("rule") or ""
    optional = bool(rule.get("optionalOldSelf"))
    names = {"self": declaration, "oldSelf": _maybe(declaration) if optional else declaration}
    made, why, uses = None, "", False
    if text.strip():
        try:
            made = program.compile(text, names)
            uses = "oldSelf" in program.names_used(made.expr)
        except CompileError as error:
            why = f"compilation failed: {error}"
    message = None
    if rule.get("messageExpression"):
        try:
            message = program.compile(rule["messageExpression"], {"self": declaration, "oldSelf": declaration})
        except CompileError:
            message = None
    field = ""
    if rule.get("fieldPath"):
        try:
            field = resolve(rule["fieldPath"], schema)[0]
        except BadPath:
            field = ""
    return Rule(rule, made, why, message, uses, field)


def _maybe(declaration: Any) -> Any:
    from kctl.api.cel import types

    return types.optional(declaration) if declaration is not None else None


class _Walk:
    """Goes through one object; errors add up until the budget is spent."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self._left = BUDGET

    def place(self, node: Node, path: str, value: Any, old: Any, *, same: bool) -> None:
        """Try the rules of one place; ``same`` says that what is around it did not change."""
        if value is None:
            return
        same = same or (old is not NOTHING and old == value)
        if node.rules:
            self._rules(node, path, value, None if old is NOTHING else old, same=same)
        for one in node.all_of:
            self.place(one, path, value, old, same=False)
        if isinstance(value, list) and node.items is not None:
            before = correlated(node.schema, value, old)
            for n, item in enumerate(value):
                self.place(node.items, f"{path}[{n}]", item, before[n] if before else NOTHING, same=same)
        elif isinstance(value, dict):
            self._map(node, path, value, old, same=same)

    def _map(self, node: Node, path: str, value: Obj, old: Any, *, same: bool) -> None:
        was = old if isinstance(old, dict) and node.schema.get("x-kubernetes-map-type") != "atomic" else {}
        for name in sorted(value):
            before = was.get(name, NOTHING)
            below = node.properties.get(name)
            if below is not None:
                self.place(below, f"{path}.{name}" if path else name, value[name], before, same=same)
            elif node.additional is not None:
                self.place(node.additional, f"{path}[{name}]", value[name], before, same=same)

    def _rules(self, node: Node, path: str, value: Any, old: Any, *, same: bool) -> None:
        kind = node.schema.get("type") or ""
        at = path or "<nil>"
        variables = {"self": typed.value_of(value, node.schema)}
        before = None if old is None else typed.value_of(old, node.schema)
        if before is not None:
            variables["oldSelf"] = before
        for rule in node.rules:
            if rule.error:
                self.errors.append(invalid(at, kind, f"rule compile error: {rule.error}"))
                continue
            if rule.program is None or (rule.uses_old and old is None and not rule.is_optional):
                continue
            given = variables
            if rule.is_optional:
                given = {**variables, "oldSelf": NONE if before is None else Optional(before)}
            if self._holds(rule, given, at, kind) or (same and not rule.uses_old):
                continue
            self._broken(rule, variables, path, value, kind)

    def _spend(self, cost: int, at: str, kind: str) -> None:
        if cost > self._left:
            self.errors.append(invalid(at, kind, EXHAUSTED))
            raise _Out
        self._left -= cost

    def _holds(self, rule: Rule, variables: Obj, at: str, kind: str) -> bool:
        """Try one rule; what keeps it from being tried is an error of its own."""
        assert rule.program is not None  # noqa: S101 - rules without one are not tried
        try:
            found, cost = rule.program.run(variables, limit=PER_CALL)
        except CostExceeded as error:
            why = f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: "
            self.errors.append(invalid(at, kind, why + rule.shown))
            raise _Out from None
        except EvaluationError as error:
            self._spend(0, at, kind)
            text = f"{error} evaluating rule: {rule.shown}"
            if str(error).startswith("no such overload"):
                text = (
                    f"'{error}': call arguments did not match a supported operator, function or macro signature for "
                    f"rule: {rule.shown}"
                )
            self.errors.append(invalid(at, kind, text))
            return True
        self._spend(cost, at, kind)
        return found is True

    def _broken(self, rule: Rule, variables: Obj, path: str, value: Any, kind: str) -> None:
        at = path
        if rule.field:
            at = f"{path}.{rule.field}" if path else rule.field
        at = at or "<nil>"
        detail = self._computed(rule, variables, at, kind)
        if detail is None:
            own = rule.rule.get("message") or ""
            detail = own.strip() if own else f"failed rule: {rule.shown}"
        shown = OMITTED if isinstance(value, dict | list) else value
        reason = rule.rule.get("reason")
        if reason == "FieldValueForbidden":
            self.errors.append(forbidden_field(at, detail))
        elif reason == "FieldValueRequired":
            self.errors.append(required(at, detail))
        elif reason == "FieldValueDuplicate":
            self.errors.append(duplicate(at, shown))
        else:
            self.errors.append(invalid(at, shown, detail))

    def _computed(self, rule: Rule, variables: Obj, at: str, kind: str) -> str | None:
        """Return the message the rule computes; None when it cannot be had."""
        if rule.message is None:
            return None
        try:
            text, cost = rule.message.run(variables, limit=PER_CALL)
        except CostExceeded:
            source = rule.message.source
            why = f'no further validation rules will be run due to call cost exceeds limit for messageExpression: "{source}"'
            self.errors.append(invalid(at, kind, why))
            raise _Out from None
        except EvaluationError:
            return None
        self._spend(cost, at, kind)
        if not isinstance(text, str):
            return None
        text = text.strip()
        if not text or "\n" in text or len(text.encode()) > MESSAGE_BYTES:
            return None
        return text
