"""What values a schema allows: the checks of k8s.io/kube-openapi pkg/validation, in its words and order.

In: a JSON value, its structural schema, and on an update the value before. Out: field errors. A value
that did not change is not judged again (ratcheting), wherever old and new belong together: fields,
and items of lists of type ``map``. Rules in CEL are not here but in :mod:`rules`.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, NamedTuple

from kctl.api import errors
from kctl.api.crd import formats
from kctl.api.errors import FieldError
from kctl.api.objects import FrozenDict, FrozenList, Obj

INT32 = (-(1 << 31), (1 << 31) - 1)
WORDS = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
WORDS |= {FrozenList: "array", FrozenDict: "object"}
EXPONENT_FROM = 6
"""As Go decides between the two ways to write a number."""
NOTHING = object()
"""In the place of an old value that there is none of."""


class Found(NamedTuple):
    """Errors, and how much of a schema did match (which decides between alternatives)."""

    errors: list[FieldError]
    matches: int


def check(value: Any, schema: Obj, old: Any = NOTHING, *, prefix: str = "") -> list[FieldError]:
    """Return what is wrong with a value; ``prefix`` is the path it stands at in its object."""
    return _Checker(prefix).value(value, schema, "", old).errors


class _Checker:
    """Checks one value; ``prefix`` stands before the paths of fields but not in the messages."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def value(self, value: Any, schema: Obj, path: str, old: Any = NOTHING) -> Found:
        """Check a value and all below it; nothing is found in a value that is as it was."""
        if old is not NOTHING and old == value and type(old) is type(value):
            return Found([], 1)
        if value is None:
            return self._null(schema, path)
        out: list[FieldError] = []
        matches = 1
        wrong = self._type(value, schema, path)
        out += wrong
        for found in (self._alternatives(value, schema, path), self._own(value, schema, path, old)):
            out += found.errors
            matches += found.matches
        return Found(out, matches)

    def _null(self, schema: Obj, path: str) -> Found:
        if schema.get("nullable") or not (schema.get("type") or schema.get("x-kubernetes-int-or-string")):
            return Found([], 1)
        return Found([self._mistyped(path, _types(schema), "null")], 0)

    # types

    def _type(self, value: Any, schema: Obj, path: str) -> list[FieldError]:
        wanted = schema.get("type") or ""
        either = bool(schema.get("x-kubernetes-int-or-string"))
        if not wanted and not either:
            return []
        given = WORDS[type(value)]
        if given == "number" and value == int(value) if isinstance(value, float) and math.isfinite(value) else False:
            given = "integer" if wanted == "integer" or either else given
        format_ = schema.get("format") or ""
        if format_ and isinstance(value, str | list) and wanted not in ("number", "integer") and not either:
            return []
        fits = (
            given == wanted
            or (given == "integer" and wanted == "number")
            or (either and given in ("integer", "string"))
        )
        return [] if fits else [self._mistyped(path, _types(schema), given)]

    def _mistyped(self, path: str, wanted: str, given: str) -> FieldError:
        return self._typed(path, given, wanted, given)

    def _typed(self, path: str, value: Any, wanted: str, shown: str) -> FieldError:
        text = f"{path} in body must be of type {wanted}: {errors.go_value(shown)}"
        return FieldError("FieldValueTypeInvalid", self._at(path), value, text)

    def _at(self, path: str) -> str:
        path = path.removeprefix(".")
        if not self._prefix:
            return path or "<nil>"
        return f"{self._prefix}.{path}" if path else self._prefix

    def _invalid(self, path: str, value: Any, text: str) -> FieldError:
        return errors.invalid(self._at(path), value, f"{path} in body {text}")

    def _general(self, text: str) -> FieldError:
        return errors.invalid(self._prefix or "<nil>", "", text)

    # alternatives

    def _alternatives(self, value: Any, schema: Obj, path: str) -> Found:
        out: list[FieldError] = []
        matches = 0
        for name in ("anyOf", "oneOf", "allOf", "not"):
            if schema.get(name):
                found: Found = getattr(self, f"_{name.lower()}")(value, schema[name], path)
                out += found.errors
                matches += found.matches
        return Found(out, matches)

    def _anyof(self, value: Any, schemas: list[Obj], path: str) -> Found:
        best: Found | None = None
        for schema in schemas:
            found = self.value(value, schema, path)
            if not found.errors:
                return Found([], 1)
            if best is None or found.matches > best.matches:
                best = found
        text = f"{errors.go_value(path)} must validate at least one schema (anyOf)"
        return Found([self._general(text), *(best.errors if best else ())], 0)

    def _oneof(self, value: Any, schemas: list[Obj], path: str) -> Found:
        valid = 0
        best: Found | None = None
        for schema in schemas:
            found = self.value(value, schema, path)
            if not found.errors:
                valid += 1
                best = None
            elif not valid and (best is None or found.matches > best.matches):
                best = found
        if valid == 1:
            return Found([], 1)
        how = f"Found {valid} valid alternatives" if valid else "Found none valid"
        text = f"{errors.go_value(path)} must validate one and only one schema (oneOf). {how}"
        return Found([self._general(text), *(best.errors if best else ())], 0)

    def _allof(self, value: Any, schemas: list[Obj], path: str) -> Found:
        out: list[FieldError] = []
        valid = 0
        for schema in schemas:
            found = self.value(value, schema, path).errors
            valid += not found
            out += found
        if valid < len(schemas):
            more = "" if valid else ". None validated"
            out.append(self._general(f"{errors.go_value(path)} must validate all the schemas (allOf){more}"))
        return Found(out, valid)

    def _not(self, value: Any, schema: Obj, path: str) -> Found:
        if self.value(value, schema, path).errors:
            return Found([], 1)
        return Found([self._general(f"{errors.go_value(path)} must not validate the schema (not)")], 0)

    # what a value is on its own

    def _own(self, value: Any, schema: Obj, path: str, old: Any) -> Found:
        matches = 0
        out: list[FieldError] = []
        if isinstance(value, str):
            out += self._string(value, schema, path)
        elif isinstance(value, bool):
            pass
        elif isinstance(value, int | float):
            out += self._number(value, schema, path)
        elif isinstance(value, list):
            found = self._list(value, schema, path, old)
            out, matches = found.errors, found.matches
        out += self._enum(value, schema, path)
        if isinstance(value, dict):
            found = self._object(value, schema, path, old)
            out, matches = out + found.errors, found.matches
        return Found(out, matches + (not out))

    def _string(self, value: str, schema: Obj, path: str) -> list[FieldError]:
        from kctl.api.regexp import BadRegexp, compiled

        out: list[FieldError] = []
        longest, shortest = schema.get("maxLength"), schema.get("minLength")
        if longest is not None and len(value) > longest:
            out.append(errors.too_long(self._at(path), value, longest))
        elif shortest is not None and len(value) < shortest:
            out.append(self._invalid(path, value, f"should be at least {shortest} chars long"))
        elif schema.get("pattern"):
            try:
                fits = compiled(schema["pattern"]).matches(value)
                why = f"should match '{schema['pattern']}'"
            except BadRegexp as error:
                fits, why = False, f"should match '{schema['pattern']}': {error}"
            if not fits:
                out.append(self._invalid(path, value, why))
        format_ = schema.get("format")
        if format_ and not formats.fits(format_, value):
            out.append(self._typed(path, value, format_, value))
        return out

    def _number(self, value: float, schema: Obj, path: str) -> list[FieldError]:
        out: list[FieldError] = []
        format_ = schema.get("format")
        if format_ == "int32" and schema.get("type") == "integer" and not INT32[0] <= value <= INT32[1]:
            out.append(self._general(f"Checked value must be of type integer with format int32 in {path}"))
        of, low, high = schema.get("multipleOf"), schema.get("minimum"), schema.get("maximum")
        if of is not None and not _is_multiple(value, of):
            out.append(self._invalid(path, value, f"should be a multiple of {_number(value, of)}"))
        if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
            than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
            out.append(self._invalid(path, value, f"should be {than} {_number(value, low)}"))
        if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
            than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
            out.append(self._invalid(path, value, f"should be {than} {_number(value, high)}"))
        return out

    def _list(self, value: list[Any], schema: Obj, path: str, old: Any) -> Found:
        out: list[FieldError] = []
        matches = 0
        items = schema.get("items")
        if isinstance(items, dict):
            before = correlated(schema, value, old)
            for n, item in enumerate(value):
                found = self.value(item, items, f"{path}[{n}]", before[n] if before else NOTHING)
                out += found.errors
                matches += found.matches
        least, most = schema.get("minItems"), schema.get("maxItems")
        if least is not None and len(value) < least:
            out.append(self._invalid(path, len(value), f"should have at least {least} items"))
        if most is not None and len(value) > most:
            out.append(self._many(path, len(value), most))
        return Found(out, matches)

    def _many(self, path: str, count: int, limit: int) -> FieldError:
        return errors.too_many(self._at(path), count, limit)

    def _enum(self, value: Any, schema: Obj, path: str) -> list[FieldError]:
        allowed = schema.get("enum")
        if not allowed or any(one == value and type(one) is type(value) for one in allowed):
            return []
        texts = [one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for one in allowed]
        return [errors.not_supported(self._at(path), value, texts)]

    def _object(self, value: Obj, schema: Obj, path: str, old: Any) -> Found:
        least, most = schema.get("minProperties"), schema.get("maxProperties")
        if least is not None and len(value) < least:
            return Found([self._invalid(path, len(value), f"should have at least {least} properties")], 0)
        if most is not None and len(value) > most:
            return Found([self._many(path, len(value), most)], 0)
        out = [
            errors.required(self._at(f"{path}.{name}" if path else name))
            for name in schema.get("required") or ()
            if name not in value
        ]
        matches = 0
        before = old if isinstance(old, dict) else {}
        properties = schema.get("properties") or {}
        additional = schema.get("additionalProperties")
        for name in sorted(value):
            below = properties.get(name)
            at = f"{path}.{name}" if path else name
            if below is None and additional is False:
                text = (
                    f"{path}.{name} in body is a forbidden property"
                    if path
                    else f"{name} in body is a forbidden property"
                )
                out.append(errors.invalid(self._at(at), "", text))
                continue
            if below is None:
                below = additional if isinstance(additional, dict) else None
            if below is None:
                continue
            found = self.value(value[name], below, at, before.get(name, NOTHING) if old is not NOTHING else NOTHING)
            out += found.errors
            matches += found.matches
        return Found(out, matches)


def correlated(schema: Obj, value: list[Any], old: Any) -> list[Any] | None:
    """Return, for each item of a list of type ``map``, the item with its keys before; None for other lists."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") != "map" or not keys or not isinstance(old, list):
        return None
    items = (schema.get("items") or {}).get("properties") or {}

    def key_of(item: Any) -> str:
        found = (
            [item.get(key, (items.get(key) or {}).get("default")) for key in keys] if isinstance(item, dict) else item
        )
        return json.dumps(found, sort_keys=True)

    before = {key_of(item): item for item in reversed(old)}
    return [before.get(key_of(item), NOTHING) for item in value]


def _types(schema: Obj) -> str:
    return "integer,string" if schema.get("x-kubernetes-int-or-string") else str(schema.get("type") or "")


def _is_multiple(value: float, of: float) -> bool:
    if isinstance(value, int) and isinstance(of, int):
        return of != 0 and value % of == 0
    return of != 0 and (value / of) == math.floor(value / of)


def _number(value: float, limit: float) -> str:
    """Write a limit as Go prints it beside a value: as an integer beside an integer."""
    return str(int(limit)) if isinstance(value, int) else go_float(float(limit))


def go_float(value: float) -> str:
    """Write a number as strconv.FormatFloat with verb g: with an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    if not value:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    power = Decimal(repr(value)).adjusted()
    text = "".join(map(str, digits))
    if power < -4 or power >= EXPONENT_FROM:
        shown = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{power:+03d}"
    elif power < 0:
        shown = "0." + "0" * (-power - 1) + text
    else:
        shown = text[: power + 1].ljust(power + 1, "0") + ("." + text[power + 1 :] if len(text) > power + 1 else "")
    return f"-{shown}" if sign else shown
