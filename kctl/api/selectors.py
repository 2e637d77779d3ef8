"""Label and field selectors: what they say, and whether an object matches.

In come the texts of ``-l`` and ``--field-selector`` and the LabelSelectors inside objects; out
come immutable selectors. Syntax and error texts are those of k8s.io/apimachinery/pkg/labels and
pkg/fields. Node selectors have operators of their own and stand in the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from kctl.api import errors
from kctl.api.objects import Obj, dig
from kctl.api.registry import Kind

OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
"""A LabelSelector's operators, and what they are called in a selector's text."""

BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"
"""As upstream lists them; ``gt`` and ``lt`` are written ``>`` and ``<`` all the same."""


class Requirement(NamedTuple):
    """One condition; ``operator`` is in, notin, =, ==, !=, >, <, exists or !."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels meet the condition, as labels.Requirement.Matches."""
        value = labels.get(self.key)
        if self.operator in ("in", "=", "=="):
            return value is not None and value in self.values
        if self.operator in ("notin", "!="):
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        number, limit = _int64(value), _int64(self.values[0])
        if number is None or limit is None:
            return False
        return number > limit if self.operator == ">" else number < limit

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        listed = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({listed})"
        return f"{self.key}{self.operator}{listed}"


def _int64(text: str | None) -> int | None:
    """Read an integer as strconv.ParseInt; None for what is none."""
    digits = (text or "").removeprefix("-") if (text or "")[:1] == "-" else (text or "").removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return None
    number = int(text or "")
    return number if -(1 << 63) <= number < 1 << 63 else None


class Selector:
    """All of several requirements, sorted by key; none of them means everything."""

    __slots__ = ("_exact", "_rest", "nothing", "requirements")

    def __init__(self, requirements: Iterable[Requirement], *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda one: one.key))
        self.nothing = nothing
        """Whether it matches no object at all, as labels.Nothing."""
        exact = [one for one in self.requirements if one.operator in ("=", "==")]
        self._exact = tuple((one.key, one.values[0]) for one in exact)
        self._rest = tuple(one for one in self.requirements if one.operator not in ("=", "=="))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels meet every requirement."""
        for key, value in self._exact:
            if labels.get(key) != value:
                return False
        for one in self._rest:
            if not one.matches(labels):
                return False
        return not self.nothing

    @property
    def empty(self) -> bool:
        """Whether it matches every object."""
        return not self.requirements and not self.nothing

    def exact(self, key: str) -> str | None:
        """Return the one value that ``key`` must have, None when several would do."""
        for one in self.requirements:
            if one.key == key:
                single = one.operator in ("=", "==", "in") and len(one.values) == 1
                return one.values[0] if single else None
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selector):
            return NotImplemented
        return self.requirements == other.requirements and self.nothing == other.nothing

    def __hash__(self) -> int:
        return hash((self.requirements, self.nothing))

    def __repr__(self) -> str:
        return "Selector(nothing)" if self.nothing else f"Selector({str(self)!r})"


NOTHING = Selector((), nothing=True)


@lru_cache(maxsize=1024)
def parse(text: str) -> Selector:
    """Read a selector such as ``app=web,tier in (a,b),!old``.

    Raises ValueError in labels.Parse's words.
    """
    return Selector(_Parser(text).parse())


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """Return the selector of exactly these labels; none of them selects everything."""
    return Selector(Requirement(key, "=", (value,)) for key, value in (labels or {}).items())


def from_label_selector(selector: Obj | None) -> Selector:
    """Read a metav1.LabelSelector: absent selects nothing, empty everything.

    Raises ValueError as metav1.LabelSelectorAsSelector does.
    """
    if selector is None:
        return NOTHING
    found = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        operator = OPERATORS.get(one.get("operator", ""))
        if operator is None:
            raise ValueError(f'"{one.get("operator", "")}" is not a valid label selector operator')
        found.append(_requirement(one.get("key", ""), operator, tuple(one.get("values") or ()), check=False))
    return Selector(found)


def _requirement(key: str, operator: str, values: tuple[str, ...], *, check: bool = True) -> Requirement:
    """Make a requirement, as labels.NewRequirement with its errors."""
    found = list(_value_errors(operator, values))
    if check:
        from kctl.api.validation import formats

        for n, value in enumerate(values):
            if wrong := formats.label_value(value):
                found.append(errors.invalid(f"values[{n}][{key}]", value, "; ".join(wrong)))
    if found:
        texts = list(dict.fromkeys(map(str, found)))
        raise ValueError(texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]")
    return Requirement(key, operator, values)


def _value_errors(operator: str, values: tuple[str, ...]) -> Iterable[errors.FieldError]:
    """Check that the values fit the operator."""
    if operator in ("in", "notin") and not values:
        yield errors.invalid("values", [], "for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        yield errors.invalid("values", list(values), "values set must be empty for exists and does not exist")
    if operator in (">", "<"):
        for n, value in enumerate(values):
            if _int64(value) is None:
                detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                yield errors.invalid(f"values[{n}]", value, detail)


SYMBOLS = "=!(),><"
TOKENS = {")", ",", "!", "==", "=", ">", "<", "!=", "("}
END = ("end", "")


def _tokens(text: str) -> Iterable[tuple[str, str]]:
    """Cut a selector into (what, literal), as labels.Lexer: words, symbols, end."""
    position = 0
    while position < len(text) and text[position] != "\0":
        letter = text[position]
        start = position
        if letter in " \t\r\n":
            position += 1
        elif letter in SYMBOLS:
            found = ""
            while position < len(text) and text[position] in SYMBOLS:
                if text[start : position + 1] in TOKENS:
                    found = text[start : position + 1]
                elif found:
                    break
                position += 1
            yield ("symbol", found)
        else:
            while position < len(text) and text[position] not in SYMBOLS + " \t\r\n\0":
                position += 1
            yield ("word", text[start:position])
    yield END


class _Parser:
    """Reads requirements from tokens; ``in`` and ``notin`` are words wherever a value may stand."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0

    def parse(self) -> list[Requirement]:
        """Return the requirements."""
        found: list[Requirement] = []
        while self._peek() != END:
            self._expect_start("!, identifier, or 'end of string'", "found '{}', expected: {}")
            try:
                found.append(self._one())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            token = self._next()
            if token == END:
                break
            if token != ("symbol", ","):
                raise ValueError(f"found '{token[1]}', expected: ',' or 'end of string'")
            self._expect_start("identifier after ','", "found '{}', expected: {}")
        return found

    def _expect_start(self, expected: str, message: str) -> None:
        """Raise unless a requirement can begin here."""
        kind, literal = self._peek()
        if kind != "word" and literal != "!":
            raise ValueError(message.format(literal, expected))

    def _one(self) -> Requirement:
        """Read one requirement."""
        negated = self._peek() == ("symbol", "!")
        if negated:
            self._next()
        kind, key = self._next()
        if kind != "word":
            raise ValueError(f"found '{key}', expected: identifier")
        from kctl.api.validation import formats

        if wrong := formats.qualified_name(key):
            raise ValueError(str(errors.invalid("<nil>", key, "; ".join(wrong))))
        if self._peek() in (END, ("symbol", ",")):
            return Requirement(key, "!" if negated else "exists")
        if negated:
            return Requirement(key, "!")
        kind, operator = self._next()
        if (kind == "word" and operator not in ("in", "notin")) or operator in ("", "!", "(", ")", ","):
            raise ValueError(f"found '{operator}', expected: {BINARY_OPERATORS}")
        values = self._values() if kind == "word" else self._value()
        return _requirement(key, operator, tuple(sorted(set(values))))

    def _value(self) -> list[str]:
        """Read what stands behind ``=``; nothing is the empty value."""
        if self._peek() in (END, ("symbol", ",")):
            return [""]
        kind, literal = self._next()
        if kind != "word":
            raise ValueError(f"found '{literal}', expected: identifier")
        return [literal]

    def _values(self) -> list[str]:
        """Read a list in parentheses; empty places are empty values."""
        token = self._next()
        if token != ("symbol", "("):
            raise ValueError(f"found '{token[1]}' expected: '('")
        kind, literal = self._peek()
        if (kind, literal) == ("symbol", ")"):
            self._next()
            return [""]
        if kind != "word" and literal != ",":
            raise ValueError(f"found '{literal}', expected: ',', ')' or identifier")
        found = [""] if literal == "," else []
        while True:
            kind, literal = self._next()
            following = self._peek()[1]
            if kind == "word":
                found.append(literal)
                if following not in (",", ")"):
                    raise ValueError(f"found '{following}', expected: ',' or ')'")
            elif literal == ",":
                if following in (",", ")"):
                    found.append("")
            else:
                raise ValueError(f"found '{literal}', expected: ',', or identifier")
            if self._peek() == ("symbol", ")"):
                self._next()
                return found

    def _peek(self) -> tuple[str, str]:
        """Return the next token."""
        return self._tokens[self._position]

    def _next(self) -> tuple[str, str]:
        """Return the next token and step over it."""
        token = self._tokens[self._position]
        if token != END:
            self._position += 1
        return token


class FieldRequirement(NamedTuple):
    """``field=value``, or ``field!=value``."""

    field: str
    equal: bool
    value: str


class FieldSelector(NamedTuple):
    """All of several field requirements."""

    requirements: tuple[FieldRequirement, ...]

    def matches(self, obj: Obj) -> bool:
        """Say whether the object's fields are as asked."""
        return all((field_value(obj, one.field) == one.value) == one.equal for one in self.requirements)

    def texts(self) -> list[str]:
        """Return strings that stand in every object that matches."""
        wanted = [(one.value, ZERO.get(one.field)) for one in self.requirements if one.equal]
        return [value for value, default in wanted if value and value != default]

    def exact(self, field: str) -> str | None:
        """Return the one value that ``field`` must have, None when it is free."""
        return next((one.value for one in self.requirements if one.field == field and one.equal), None)

    def check(self, kind: Kind) -> None:
        """Raise ValueError, in the real server's words, for a field the kind cannot be selected by."""
        for one in self.requirements:
            if one.field in ("metadata.name", "metadata.namespace" if kind.namespaced else "metadata.name"):
                continue
            own = SELECTABLE.get(kind.resource) if kind.custom is None else kind.custom.selectable
            if own is None and one.field != "metadata.namespace":
                known = '"metadata.name", "metadata.namespace"'
                raise ValueError(f"{errors.go_value(one.field)} is not a known field selector: only {known}")
            if own is not None and one.field not in own:
                raise ValueError(f"field label not supported: {one.field}")

    def __str__(self) -> str:
        return ",".join(f"{one.field}{'=' if one.equal else '!='}{one.value}" for one in self.requirements)


INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

SELECTABLE: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicationcontrollers": ("status.replicas",),
    "events": (
        *(f"involvedObject.{field}" for field in INVOLVED),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "events.events.k8s.io": (*(f"regarding.{field}" for field in INVOLVED), "reason", "reportingController", "type"),
    "jobs.batch": ("status.successful",),
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
    "resourceslices.resource.k8s.io": ("spec.nodeName", "spec.driver"),
}
"""The fields beyond name and namespace by which objects can be selected."""

ZERO = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0", "status.successful": "0"}
"""What an absent field is as text, where that is not ""."""

STORED_FIELD = {
    "status.successful": ("status", "succeeded"),
    "reportingController": ("reportingComponent",),
    **{f"regarding.{field}": ("involvedObject", field) for field in INVOLVED},
}
"""Selectable fields that stand elsewhere in the stored object."""


def fields(text: str) -> FieldSelector:
    """Read a field selector. Raises ValueError in fields.ParseSelector's words."""
    found = []
    for part in sorted(text.split(",")):
        if not part:
            continue
        for operator in ("!=", "==", "="):
            sides = part.split(operator)
            if len(sides) == 2:
                found.append(FieldRequirement(sides[0], operator != "!=", sides[1]))
                break
        else:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    return FieldSelector(tuple(found))


def field_value(obj: Obj, field: str) -> str:
    """Return a selectable field as text, as the kinds' ToSelectableFields."""
    if field == "source":
        return str(dig(obj, "source", "component", default="") or obj.get("reportingComponent") or "")
    if field == "status.podIPs":
        return ",".join(one.get("ip", "") for one in dig(obj, "status", "podIPs", default=()))
    value: Any = dig(obj, *STORED_FIELD.get(field, tuple(field.split("."))))
    if value is None:
        return ZERO.get(field, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
