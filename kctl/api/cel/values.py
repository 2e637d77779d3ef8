"""Values of CEL and what holds between them: types, equality, order, arithmetic.

JSON's values are themselves: None, booleans, texts, lists, dicts, floats, and ints within int64.
Classes here are what JSON has not: unsigned numbers, times, durations, types, optional values. Keys of
maps are as in Python, but for booleans, which Python takes for numbers (:func:`key_of`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kctl.api.cel.errors import EvaluationError

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
NANO = 1_000_000_000
TIME_MIN, TIME_MAX = -62135596800 * NANO, 253402300800 * NANO - 1
"""The first and the last instant a timestamp may be: the years 1 to 9999."""


class UInt(int):
    """An unsigned integer."""

    __slots__ = ()


class Duration(int):
    """A span of time, in nanoseconds."""

    __slots__ = ()


class Timestamp(int):
    """An instant, in nanoseconds since 1970."""

    __slots__ = ()


class TypeValue:
    """A type as a value: what ``type(x)`` gives."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeValue) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Optional:
    """A value that may be absent."""

    __slots__ = ("has_value", "value")

    def __init__(self, value: Any = None, *, has_value: bool = True) -> None:
        self.value = value
        self.has_value = has_value


NONE = Optional(has_value=False)


class Opaque:
    """A value of a library: equal to what its class says, compared by nothing else."""

    __slots__ = ()
    type_name = ""

    def equals(self, other: Any) -> bool:
        """Say whether two values of this type are equal."""
        return self is other


class Instance(dict[str, Any]):
    """A struct that an expression made, with the name of its type."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


class UniqueList(list[Any]):
    """A list whose order does not matter: a set, or a map by the keys of its items."""

    __slots__ = ("keys",)

    def __init__(self, items: list[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key(self, item: Any) -> Any:
        """Return what tells an item from others."""
        if not self.keys:
            return key_of(item) if not isinstance(item, list | dict) else repr(item)
        return tuple(key_of(item.get(name)) for name in self.keys) if isinstance(item, dict) else repr(item)


class BoolKey:
    """A boolean as the key of a map."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoolKey) and other.value == self.value

    def __hash__(self) -> int:
        return hash(("bool", self.value))


TRUE_KEY, FALSE_KEY = BoolKey(True), BoolKey(False)


def key_of(value: Any) -> Any:
    """Return a value as the key of a dict; EvaluationError for what may not be one."""
    kind = type(value)
    if kind is str or kind is int or kind is UInt:
        return value
    if kind is bool:
        return TRUE_KEY if value else FALSE_KEY
    if kind is float and value == math.floor(value):
        return int(value)
    if value is None or kind is float:
        return ("none", value)
    raise EvaluationError(f"unsupported key type: {type_name(value)}")


def value_of_key(key: Any) -> Any:
    """Return what stands as a key in a dict."""
    return key.value if type(key) is BoolKey else key


NAMES: dict[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    UniqueList: "list",
    dict: "map",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    TypeValue: "type",
    Optional: "optional_type",
}
NUMBERS = (int, float, UInt)


def type_name(value: Any) -> str:
    """Return the name of a value's type."""
    known = NAMES.get(type(value))
    if known is not None:
        return known
    if isinstance(value, Opaque | Instance):
        return value.type_name
    return "map" if isinstance(value, dict) else "list" if isinstance(value, list) else "dyn"


def no_overload() -> EvaluationError:
    """Return the error of an operation that does not exist between such values."""
    return EvaluationError("no such overload")


def equal(a: Any, b: Any) -> bool:
    """Say whether two values are equal; numbers of any kind by their value, other kinds never across."""
    kind, other = type(a), type(b)
    if kind in NUMBERS and other in NUMBERS:
        return bool(a == b)
    if kind is other:
        if kind is list:
            return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
        if kind is dict:
            return len(a) == len(b) and all(k in b and equal(v, b[k]) for k, v in a.items())
        if kind is Optional:
            return a.has_value == b.has_value and (not a.has_value or equal(a.value, b.value))
        if kind is UniqueList:
            return _equal_sets(a, b)
        if isinstance(a, Opaque):
            return a.equals(b)
        if kind is Instance:
            return a.type_name == b.type_name and equal(dict(a), dict(b))
        return bool(a == b)
    if isinstance(a, list) and isinstance(b, list):
        if isinstance(a, UniqueList):
            return _equal_sets(a, UniqueList(b, a.keys))
        if isinstance(b, UniqueList):
            return _equal_sets(b, UniqueList(a, b.keys))
    if isinstance(a, dict) and isinstance(b, dict) and not (isinstance(a, Instance) and isinstance(b, Instance)):
        return equal(dict(a), dict(b))
    return False


def _equal_sets(a: UniqueList, b: UniqueList) -> bool:
    if len(a) != len(b):
        return False
    theirs = {a.key(item): item for item in b}
    return all(a.key(item) in theirs and equal(item, theirs[a.key(item)]) for item in a)


def compare(a: Any, b: Any) -> int:
    """Return -1, 0 or 1; EvaluationError for values that have no order."""
    kind, other = type(a), type(b)
    if kind in NUMBERS and other in NUMBERS:
        if a != a or b != b:
            raise EvaluationError("NaN values cannot be ordered")
        return int(a > b) - int(a < b)
    if kind is other and kind in (str, bytes, bool, Duration, Timestamp):
        if kind is str:
            a, b = a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass")
        return int(a > b) - int(a < b)
    raise no_overload()


def checked_int(value: int) -> int:
    """Return a signed integer; EvaluationError when it does not fit."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def checked_uint(value: int) -> UInt:
    """Return an unsigned integer; EvaluationError when it does not fit."""
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


def checked_duration(value: int) -> Duration:
    """Return a duration; EvaluationError when it does not fit."""
    if INT_MIN <= value <= INT_MAX:
        return Duration(value)
    raise EvaluationError("integer overflow")


def checked_time(value: int) -> Timestamp:
    """Return an instant; EvaluationError when it is outside the years 1 to 9999."""
    if TIME_MIN <= value <= TIME_MAX:
        return Timestamp(value)
    raise EvaluationError("timestamp overflow")


def add(a: Any, b: Any) -> Any:
    """Return ``a + b``."""
    kind, other = type(a), type(b)
    if kind is other:
        if kind is int:
            return checked_int(a + b)
        if kind in (str, bytes, float):
            return a + b
        if kind is UInt:
            return checked_uint(int(a) + int(b))
        if kind is Duration:
            return checked_duration(int(a) + int(b))
    if isinstance(a, list) and isinstance(b, list):
        return _joined(a, b)
    if (kind, other) in ((Timestamp, Duration), (Duration, Timestamp)):
        return checked_time(int(a) + int(b))
    raise no_overload()


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    """Join two lists; one whose order does not matter takes in what it has not, and what it has anew."""
    if not isinstance(a, UniqueList):
        return [*a, *b]
    found = {a.key(item): item for item in a}
    for item in b:
        found[a.key(item)] = item
    return UniqueList(list(found.values()), a.keys)


def subtract(a: Any, b: Any) -> Any:
    """Return ``a - b``."""
    kind, other = type(a), type(b)
    if kind is other:
        if kind is int:
            return checked_int(a - b)
        if kind is float:
            return a - b
        if kind is UInt:
            return checked_uint(int(a) - int(b))
        if kind is Duration or kind is Timestamp:
            return checked_duration(int(a) - int(b))
    if (kind, other) == (Timestamp, Duration):
        return checked_time(int(a) - int(b))
    raise no_overload()


def multiply(a: Any, b: Any) -> Any:
    """Return ``a * b``."""
    kind = type(a)
    if kind is type(b):
        if kind is int:
            return checked_int(a * b)
        if kind is float:
            return a * b
        if kind is UInt:
            return checked_uint(int(a) * int(b))
    raise no_overload()


def divide(a: Any, b: Any) -> Any:
    """Return ``a / b``; integers are cut towards zero."""
    kind = type(a)
    if kind is type(b):
        if kind is float:
            if b == 0:
                return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
            return a / b
        if kind is int or kind is UInt:
            if b == 0:
                raise EvaluationError("division by zero")
            quotient = abs(int(a)) // abs(int(b))
            if kind is UInt:
                return UInt(quotient)
            return checked_int(quotient if (a < 0) == (b < 0) else -quotient)
    raise no_overload()


def remainder(a: Any, b: Any) -> Any:
    """Return ``a % b``, which has the sign of ``a``."""
    kind = type(a)
    if kind is type(b) and (kind is int or kind is UInt):
        if b == 0:
            raise EvaluationError("modulus by zero")
        rest = abs(int(a)) % abs(int(b))
        return UInt(rest) if kind is UInt else (-rest if a < 0 else rest)
    raise no_overload()


def negate(a: Any) -> Any:
    """Return ``-a``."""
    if type(a) is int:
        return checked_int(-a)
    if type(a) is float:
        return -a
    raise no_overload()


def contains(item: Any, holder: Any) -> bool:
    """Return ``item in holder``: an item of a list, a key of a map."""
    if isinstance(holder, list):
        return any(equal(item, one) for one in holder)
    if isinstance(holder, dict):
        try:
            return key_of(item) in holder
        except EvaluationError:
            return False
    raise no_overload()


def size(value: Any) -> int:
    """Return the number of characters, bytes, items or entries."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise no_overload()


def cost_size(value: Any) -> int:
    """Return how much there is to go through in a value (CostTracker.ActualSize)."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": multiply,
    "_/_": divide,
    "_%_": remainder,
    "_==_": equal,
    "_!=_": lambda a, b: not equal(a, b),
    "_<_": lambda a, b: compare(a, b) < 0,
    "_<=_": lambda a, b: compare(a, b) <= 0,
    "_>_": lambda a, b: compare(a, b) > 0,
    "_>=_": lambda a, b: compare(a, b) >= 0,
    "@in": contains,
}
"""The operators between two values."""
