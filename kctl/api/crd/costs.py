"""The rules of a definition, compiled when it is written, and what they may cost in the worst case.

In: the places of a schema that have rules. Out: field errors, as ValidateCustomResourceDefinitionOpenAPISchema
with its CELSchemaContext: one for what does not compile, one for what may cost too much by itself, and those of
a schema whose rules together cost too much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.api.cel import estimate, program, types
from kctl.api.cel.errors import CompileError
from kctl.api.cel.estimate import MOST, at_most
from kctl.api.cel.program import STATIC_LIMIT, STATIC_TOTAL, Program
from kctl.api.crd import declared, written
from kctl.api.errors import FieldError, forbidden_field, invalid
from kctl.api.objects import Obj

RULES = "x-kubernetes-validations"
ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
REPORTED = 4


class Place(NamedTuple):
    """How often a place of the schema may occur in an object (None: as often as a request is large)."""

    times: int | None
    is_root: bool


class Account:
    """Adds up what the rules of one schema may cost."""

    def __init__(self, schema: Obj) -> None:
        self._total = 0
        self._expensive: list[tuple[int, str]] = []
        self._places: dict[int, Place] = {}
        self._note(schema, Place(1, True))

    def _note(self, schema: Obj, place: Place) -> None:
        """Note how often each place may occur."""
        self._places[id(schema)] = place
        items, additional = schema.get("items"), schema.get("additionalProperties")
        for below, limit in ((items, schema.get("maxItems")), (additional, schema.get("maxProperties"))):
            if isinstance(below, dict):
                times = None if limit is None or place.times is None else at_most(place.times * limit)
                self._note(below, Place(times, bool(below.get("x-kubernetes-embedded-resource"))))
        for below in (schema.get("properties") or {}).values():
            self._note(below, Place(place.times, bool(below.get("x-kubernetes-embedded-resource"))))

    def rules(self, schema: Obj, path: str, uncorrelatable: str) -> list[FieldError]:
        """Return what is wrong with the rules at one place."""
        place = self._places.get(id(schema), Place(None, False))
        declaration = declared.type_of(schema, is_root=place.is_root)
        if declaration is None:
            why = (
                f"rule declared on schema that does not support validation rules type: '{schema.get('type') or ''}' "
                f"x-kubernetes-preserve-unknown-fields: "
                f"'{str(bool(schema.get('x-kubernetes-preserve-unknown-fields'))).lower()}'"
            )
            return [FieldError("InternalError", f"{path}.{RULES}", "", why)]
        times = place.times if place.times is not None else declared.REQUEST // (declaration.min_size + 1)
        out: list[FieldError] = []
        for n, rule in enumerate(schema[RULES]):
            if (rule.get("rule") or "").strip():
                out += self._rule(rule, f"{path}.{RULES}[{n}]", declaration, times, uncorrelatable)
        return out

    def _rule(self, rule: Obj, path: str, declaration: types.Type, times: int, uncorrelatable: str) -> list[FieldError]:
        optional = bool(rule.get("optionalOldSelf"))
        names = {"self": declaration, "oldSelf": types.optional(declaration) if optional else declaration}
        out: list[FieldError] = []
        at = f"{path}.rule"
        made = _compiled(rule["rule"], names, "bool", rule, at, "cel expression must evaluate to a bool", out)
        if made is not None:
            cost = at_most(estimate.cost_of(made.expr) * times)
            if cost > STATIC_LIMIT:
                out.insert(0, forbidden_field(at, _too_much("estimated rule cost", cost, STATIC_LIMIT)))
            self._observe(cost, at)
        at = f"{path}.messageExpression"
        if rule.get("messageExpression"):
            plain = {"self": declaration, "oldSelf": declaration}
            text = rule["messageExpression"]
            message = _compiled(text, plain, "string", rule, at, "messageExpression must evaluate to a string", out)
            if message is not None:
                cost = at_most(estimate.cost_of(message.expr) * times)
                if cost > STATIC_LIMIT:
                    why = _too_much("estimated messageExpression cost", cost, STATIC_LIMIT)
                    out.append(forbidden_field(at, why))
                self._observe(cost, at)
        return out + _old_self(rule, path, made, uncorrelatable)

    def _observe(self, cost: int, path: str) -> None:
        self._total = min(MOST, self._total + cost)
        self._expensive = sorted([*self._expensive, (cost, path)], key=lambda one: -one[0])[:REPORTED]

    def verdict(self, path: str) -> list[FieldError]:
        """Return the errors of a schema whose rules together cost too much."""
        if self._total <= STATIC_TOTAL:
            return []
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        whole = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        return [
            *(forbidden_field(at, why) for _, at in self._expensive),
            forbidden_field(path, _too_much(whole, self._total, STATIC_TOTAL)),
        ]


def _compiled(
    text: str, names: dict[str, Any], wanted: str, rule: Obj, path: str, mistyped: str, out: list[FieldError]
) -> Program | None:
    """Compile an expression that must be of a type; what is wrong is added to ``out``."""
    shown = written.rule(rule)
    try:
        made = program.compile(text, names)
    except CompileError as error:
        lead = "" if wanted == "bool" else "messageExpression "
        out.append(invalid(path, shown, f"{lead}compilation failed: {error}"))
        return None
    if made.type.name != wanted:
        out.append(invalid(path, shown, mistyped))
        return None
    return made


def _old_self(rule: Obj, path: str, made: Program | None, uncorrelatable: str) -> list[FieldError]:
    uses = made is not None and "oldSelf" in program.names_used(made.expr)
    if uses and uncorrelatable:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelatable}"
        return [invalid(f"{path}.rule", rule["rule"], why)]
    if not uses and rule.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        return [invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], why)]
    return []


def _too_much(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {ADVICE}"
