"""Decode a body as its kind: types, unknown fields, and the form Go would hold it in.

In comes JSON as a client sent it; out come the object as the real server's decoder leaves it
(nulls and, unless strict, unknown fields dropped; quantities and times canonical), every error
with its path, and the one message a real API server would answer. A well-formed object takes
one walk through the compiled checks of its schema and is returned as it is; only when these balk
does :class:`Reader` go through it again to say what and where. What values mean together is not
here but in validation, and required fields are validation's too, as upstream.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from kctl.api import quantity, schema
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.api.schema import checks, gotypes
from kctl.api.schema.node import Node
from kctl.api.schema.wire import base64_error, read_time
from kctl.api.sharing import unshared

Unknown = Literal["strict", "warn", "ignore"]
Steps = tuple[str | int, ...]

MAX_UNKNOWN = 100
"""So many unknown fields are named, as in sigs.k8s.io/json."""

WORDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


class DecodeError(NamedTuple):
    """One field that cannot be decoded."""

    path: str
    text: str
    """What is wrong, in kubectl's manner: ``Invalid type. Expected: string, given: integer``."""
    go: str
    """What is wrong, in the words of the real server."""
    rank: int
    """0: stops Go's decoder at once; 1: a wrong type; 2: an unknown field."""
    steps: Steps
    """The path as field names and list positions."""

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Decoded(NamedTuple):
    """What became of a body; ``obj`` is of use only when there are no errors."""

    kind: Kind
    obj: Obj
    errors: list[DecodeError]
    warnings: list[str]

    @property
    def why(self) -> str:
        """Return the part of the server's message behind the kind, "" without errors."""
        if not self.errors:
            return ""
        first = min(self.errors, key=lambda error: error.rank)
        if first.rank < 2:
            return first.go
        return "strict decoding error: " + ", ".join(error.go for error in self.errors[:MAX_UNKNOWN])

    @property
    def message(self) -> str:
        """Return the message of the 400 a real API server answers, "" without errors."""
        kind = self.kind
        prefix = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        return f"{prefix}: {self.why}" if self.errors else ""


def decode(kind: Kind, obj: Obj, *, unknown: Unknown = "strict", known: Obj | None = None) -> Decoded:
    """Decode an object as its kind; a kind without a schema has only its metadata decoded.

    ``known`` is an object that was decoded before: what is shared with it is not looked at again
    (except its status, which components of the server write themselves).
    """
    if not isinstance(obj, dict):
        return Decoded(kind, {}, [_no_object(kind, obj)], [])
    if kind.custom is not None:
        from kctl.api.crd import decoding

        return decoding.decode(kind, kind.custom, obj, unknown=unknown)
    node = schema.of(kind)
    reader = Reader(unknown)
    try:
        if node is not None:
            clean = _clean(node, obj, known or {})
            if clean is not None:
                return Decoded(kind, clean, [], [])
            decoded = reader.object(node, obj, (), _Go(kind.kind))
        else:
            decoded = _schemaless(reader, kind, obj)
    except RecursionError:
        deep = DecodeError("", "nested too deeply", "exceeded max depth", 0, ())
        return Decoded(kind, obj, [deep], [])
    return Decoded(kind, decoded if isinstance(decoded, dict) else {}, reader.errors, reader.warnings)


def why_not(definition: str, value: Obj) -> str:
    """Say what keeps a value from being one of a definition, in the server's words; "" when nothing does."""
    node, reader = schema.definition(definition), Reader("ignore")
    if checks.check_of(node)(value):
        return ""
    reader.object(node, value, (), _Go(definition.rpartition(".")[2]))
    return min(reader.errors, key=lambda error: error.rank).go if reader.errors else ""


def faults(definition: str, value: Obj) -> list[DecodeError]:
    """Return everything that keeps a value from being one of a definition, unknown fields too."""
    node, reader = schema.definition(definition), Reader("strict")
    if not checks.check_of(node)(value):
        reader.object(node, value, (), _Go(definition.rpartition(".")[2]))
    return reader.errors


def _no_object(kind: Kind, given: Any) -> DecodeError:
    """Return the error of a body that is not even an object."""
    word = WORDS.get(type(given), "null")
    go = "bool" if word == "boolean" else "number" if word == "integer" else word
    text = f"Invalid type. Expected: object, given: {word}"
    return DecodeError("", text, f"json: cannot unmarshal {go} into Go value of type {kind.version}.{kind.kind}", 1, ())


def _schemaless(reader: Reader, kind: Kind, obj: Obj) -> Obj:
    """Decode the metadata; all other fields are kept."""
    if "metadata" not in obj:
        return obj
    meta = schema.definition("meta.v1.ObjectMeta")
    if checks.check_of(meta)(obj["metadata"]):
        return obj
    decoded = reader.value(meta, obj["metadata"], ("metadata",), _Go(kind.kind, "metadata"))
    return {**obj, "metadata": decoded if isinstance(decoded, dict) else {}}


def _clean(node: Node, obj: Obj, known: Obj) -> Obj | None:
    """Return the object as the slow walk would, where that only takes nulls out; None where it would do more."""
    check = checks.check_of(node)
    new = {n: value for n, value in obj.items() if n == "status" or n not in known or known[n] is not value}
    if check(unshared(new, known)):
        return obj
    clean = _without_nulls(node, new)
    if clean is new or not check(clean):
        return None
    return {name: clean.get(name, value) for name, value in obj.items() if name not in new or name in clean}


def _without_nulls(node: Node, value: Any) -> Any:
    """Return a struct without fields that are null, down through structs and lists of structs."""
    out: Obj | None = None
    for name, child in value.items():
        new = child
        field = node.properties.get(name)
        if field is None:
            continue  # unknown: not to be passed over
        if child.__class__ is dict and field.properties:
            new = _without_nulls(field, child)
        elif child.__class__ is list and field.items is not None and field.items.properties:
            item = field.items
            items = [_without_nulls(item, one) if one.__class__ is dict else one for one in child]
            if any(a is not b for a, b in zip(items, child, strict=True)):
                new = items
        if new is child and child is not None:
            continue
        if out is None:
            out = dict(value)
        if new is None:
            del out[name]
        else:
            out[name] = new
    return value if out is None else out


class _Go(NamedTuple):
    """Where Go's decoder stands: the innermost struct, and the names of the fields that led here."""

    struct: str
    path: str = ""
    type: str = ""
    """The Go type of the value here, where its field gives it a name of its own."""

    def refuse(self, given: str, wanted: str) -> str:
        """Word the refusal of a value."""
        return f"json: cannot unmarshal {given} into Go struct field {self.struct}.{self.path} of type {wanted}"


def struct(name: str) -> _Go:
    """Return where Go's decoder stands at the start of a struct."""
    return _Go(name)


class _Dropped:
    """The type of :data:`DROPPED`."""


DROPPED = _Dropped()
"""In the place of a value that is not kept."""


class Reader:
    """Goes through one object; errors and warnings add up."""

    def __init__(self, unknown: Unknown) -> None:
        self._unknown = unknown
        self.errors: list[DecodeError] = []
        self.warnings: list[str] = []

    def value(self, node: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Return the decoded value, DROPPED for null and for what cannot be decoded."""
        if value is None:
            return DROPPED
        if node.type == "array":
            return self._list(node, value, steps, go)
        if node.type == "object":
            if node.properties:
                return self.object(node, value, steps, go)
            return value if node.additional is None else self._map(node, node.additional, value, steps, go)
        if node.type == "any":
            return self._union(node, value, steps) if node.name in checks.UNIONS else value
        return self._scalar(node, value, steps, go)

    def _union(self, node: Node, value: Any, steps: Steps) -> Any:
        """Decode a schema inside a schema, or what else may stand there; its unknown fields go without a word."""
        inside = Reader("ignore")
        out: Any = DROPPED
        if isinstance(value, dict):
            out = inside.object(schema.definition(checks.PROPS), value, (), _Go("JSONSchemaProps"))
        elif checks.UNIONS[node.name] == "bool":
            if not isinstance(value, bool):
                return self._fail(steps, "boolean or schema expected", "boolean or JSON schema expected", 1)
            out = value
        elif isinstance(value, list):
            item = schema.definition(checks.PROPS) if checks.UNIONS[node.name] == "array" else None
            go = _Go("JSONSchemaProps")
            out = [inside.object(item, one, (n,), go) if item else one for n, one in enumerate(value)]
        if inside.errors:
            first = inside.errors[0]
            return self._fail((*steps, *first.steps), first.text, first.go, 1)
        return out

    def object(self, node: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Decode an object's fields, in the order the client sent them."""
        if not isinstance(value, dict):
            return self._wrong_type(node, value, steps, go)
        out: Obj = {}
        struct = node.name.rpartition(".")[2]
        for name, child in value.items():
            field = node.properties.get(name)
            if field is None:
                self._unknown_field((*steps, name))
                continue
            within = gotypes.embedded(node.name, name)
            at = ".".join(filter(None, (go.path, within, name)))
            decoded = self.value(field, child, (*steps, name), _Go(struct, at, gotypes.named(node.name, name)))
            if decoded is not DROPPED:
                out[name] = decoded
        return out

    def _list(self, node: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Decode a list; a null in it is the zero value, as in Go."""
        item = node.items
        if not isinstance(value, list):
            return self._wrong_type(node, value, steps, go)
        if item is None:
            return value
        out = []
        for n, child in enumerate(value):
            decoded = self.value(item, child, (*steps, n), go)
            out.append(_zero(item) if decoded is DROPPED else decoded)
        return out

    def _map(self, node: Node, item: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Decode a map; a null in it is the zero value, as in Go."""
        if not isinstance(value, dict):
            return self._wrong_type(node, value, steps, go)
        out = {}
        for name, child in value.items():
            decoded = self.value(item, child, (*steps, name), go._replace(type=""))
            out[name] = _zero(item) if decoded is DROPPED else decoded
        return out

    def _scalar(self, node: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Decode a string, number, truth value, quantity, time or bytes."""
        if node.type == "quantity":
            return self._quantity(value, steps)
        if node.type == "int-or-string":
            if isinstance(value, str):
                return value
            return value if checks.is_int32(value) else self._wrong_type(node, value, steps, go, rank=0)
        if node.format == "date-time":
            return self._time(node, value, steps, go)
        if node.type == "string":
            if not isinstance(value, str):
                return self._wrong_type(node, value, steps, go)
            wrong = base64_error(value) if node.format == "byte" else ""
            return self._fail(steps, wrong, wrong, 1) if wrong else value
        return value if checks.fits(node, value) else self._wrong_type(node, value, steps, go)

    def _quantity(self, value: Any, steps: Steps) -> Any:
        """Decode a quantity into its canonical text."""
        try:
            return quantity.canonical(value)
        except ValueError as error:
            return self._fail(steps, str(error), str(error), 0)

    def _time(self, node: Node, value: Any, steps: Steps, go: _Go) -> Any:
        """Decode a time into the one form in which it is written."""
        if not isinstance(value, str):
            return self._wrong_type(node, value, steps, go, rank=0)
        text, wrong = read_time(value, micro=node.name == "meta.v1.MicroTime")
        return self._fail(steps, wrong, wrong, 0) if wrong else text

    def _wrong_type(self, node: Node, value: Any, steps: Steps, go: _Go, *, rank: int = 1) -> Any:
        """Note a value of the wrong type."""
        given = WORDS.get(type(value), "null")
        expected = {"int-or-string": "integer or string"}.get(node.type, node.type)
        text = f"Invalid type. Expected: {expected}, given: {given}"
        if given == expected or (expected == "integer" and given == "number"):
            text = f"Invalid value: {value}. Expected: {node.format or expected}"
        return self._fail(steps, text, go.refuse(go_value(node, value), go_type(node, go.type)), rank)

    def _unknown_field(self, steps: Steps) -> None:
        """Note an unknown field as asked; it is dropped in any case."""
        words = f'unknown field "{dotted(steps)}"'
        if self._unknown == "strict":
            self.errors.append(DecodeError(path_of(steps), "unknown field", words, 2, steps))
        elif self._unknown == "warn" and len(self.warnings) < MAX_UNKNOWN:
            self.warnings.append(words)

    def _fail(self, steps: Steps, text: str, go: str, rank: int) -> _Dropped:
        """Note an error."""
        self.errors.append(DecodeError(path_of(steps), text, go, rank, steps))
        return DROPPED


def path_of(steps: Steps) -> str:
    """Write steps as a field path: ``spec.containers[0].image``."""
    out = ""
    for step in steps:
        if isinstance(step, int) or "." in step or "/" in step:
            out += f"[{step}]"
        else:
            out += f".{step}" if out else step
    return out


def dotted(steps: Steps) -> str:
    """Write steps as Go's strict decoder does, map keys with a dot too."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _zero(node: Node) -> Any:
    """Return what Go's zero value of a node is written as."""
    if node.type == "string":
        return ""
    return {"integer": 0, "number": 0, "boolean": False, "object": {}, "quantity": "0", "int-or-string": 0}.get(
        node.type
    )


def go_value(node: Node, value: Any) -> str:
    """Name a value as encoding/json does; numbers that do not fit are shown."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if node.type in ("integer", "int-or-string") else "number"
    return WORDS.get(type(value), "null")


def go_type(node: Node, named: str) -> str:
    """Name the Go type of a node."""
    if node.type == "array" and node.items is not None:
        return "[]" + go_type(node.items, named)
    if named:
        return named
    if node.type == "object":
        if node.name:
            return gotypes.type_of(node.name)
        return "map[string]" + go_type(node.additional, "") if node.additional is not None else "runtime.RawExtension"
    by_format = {"int32": "int32", "int64": "int64", "double": "float64", "byte": "[]uint8"}
    by_type = {"boolean": "bool", "int-or-string": "int32", "quantity": "resource.Quantity"}
    return by_format.get(node.format) or by_type.get(node.type) or "string"
