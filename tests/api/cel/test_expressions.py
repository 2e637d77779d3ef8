"""What expressions mean: values, errors and texts, in the words of cel-go and cel-spec."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.cel import program
from kctl.api.cel.errors import CelError, CompileError, CostExceeded, EvaluationError
from kctl.api.cel.values import UInt

SELF: dict[str, Any] = {
    "n": 3,
    "s": "abc",
    "l": [1, 2, 3],
    "m": {"a": 1, "b": 2},
    "o": {"a.b": 1, "in": 2, "x-y": 3},
    "nothing": None,
}

VALUES = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3 - -1", 10),
    ("7 / -2", -3),
    ("-7 % 3", -1),
    ("7u / 2u", UInt(3)),
    ("1.5 + 2.5", 4.0),
    ("'a' + \"b\" + '''c'''", "abc"),
    (r"r'\n'.size()", 2),
    (r"'\u00e9\x41\101'", "éAA"),
    ("b'abc' + b'd'", b"abcd"),
    ("[1, 2] + [3]", [1, 2, 3]),
    ("dyn(1) == 1.0 && dyn(1u) == 1 && !(dyn(1) == '1')", True),
    ("1 < 1.5 && 2u > 1.5", True),
    ("[dyn(1), 2] == [dyn(1.0), dyn(2u)]", True),
    ("{1: 'x'}[dyn(1.0)]", "x"),
    ("'b' in {'a': 1, 'b': 2} && 2 in [1, 2]", True),
    ("true ? 1 : 1 / 0", 1),
    ("true || 1 / 0 > 0", True),
    ("1 / 0 > 0 || true", True),
    ("false && 1 / 0 > 0", False),
    ("has(self.n) && !has(self.zz)", True),
    ("self.o.a__dot__b + self.o.__in__ + self.o.x__dash__y", 6),
    ("self.l.all(x, x > 0)", True),
    ("self.l.exists(x, 6 / (x - 1) > 5)", True),
    ("self.l.exists_one(x, x == 2)", True),
    ("self.l.map(x, x * x)", [1, 4, 9]),
    ("self.l.map(x, x > 1, x * x)", [4, 9]),
    ("self.l.filter(x, x != 2)", [1, 3]),
    ("self.m.all(k, self.m[k] > 0)", True),
    ("self.l.all(i, v, v == i + 1)", True),
    ("self.m.exists(k, v, k == 'b' && v == 2)", True),
    ("self.m.existsOne(k, v, v == 1)", True),
    ("self.l.transformList(i, v, i > 0, i * v)", [2, 6]),
    ("self.m.transformMap(k, v, v * 2)", {"a": 2, "b": 4}),
    ("self.m.transformMapEntry(k, v, {v: k})", {1: "a", 2: "b"}),
    ("cel.bind(x, self.n * 2, x + x)", 12),
    ("self.?zz.?y.orValue('d')", "d"),
    ("self.?n.value()", 3),
    ("self.l[?7].hasValue()", False),
    ("optional.of(2).optMap(x, x + 1).value()", 3),
    ("optional.none().or(optional.of(1)).value()", 1),
    ("optional.of(2).optFlatMap(x, optional.of(x * 2)).value()", 4),
    ("[1, ?optional.none(), 2]", [1, 2]),
    ("{'a': 1, ?'b': optional.none()}", {"a": 1}),
    ("type(1) == int && type('') == string && type([]) == list && type(null) == null_type", True),
    ("type(duration('1s')) == google.protobuf.Duration", True),
    ("int('42') + int(3.9) + int(2u)", 47),
    ("string(1.0) + string(1e6) + string(true) + string(duration('90s'))", "11e+06true90s"),
    ("timestamp('2024-02-29T12:30:45.5Z').getDayOfYear()", 59),
    ("timestamp('2024-02-29T23:30:00Z').getDate('+02:00')", 1),
    ("timestamp('2020-01-01T00:00:00Z') + duration('24h') == timestamp('2020-01-02T00:00:00Z')", True),
    ("duration('1h30m').getMinutes()", 90),
    ("'abc'.charAt(1) + 'abcabc'.indexOf('c', 3).format([]).size().format([])", None),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("['a', 'b'].join('-')", "a-b"),
    ("'Hello'.lowerAscii() + ' x '.trim() + 'aXbX'.replace('X', 'y', 1)", "helloxaybX"),
    ("'%s %d %.2f %x %b %%'.format(['s', 3, 1.5, 255, 5])", "s 3 1.50 ff 101 %"),
    ("'%s'.format([{'b': [1, true], 'a': null}])", "{a: null, b: [1, true]}"),
    ("'abc 123 45'.find('[0-9]+') + '-' + 'a1b22'.findAll('[0-9]+')[1]", "123-22"),
    ("'foo'.matches('^f.o$') && !'foo'.matches('^bar')", True),
    ("[3, 1, 2].max() + [3, 1, 2].min() + [3, 1, 2].sum() + [3, 1].indexOf(1)", 11),
    ("[1, 2, 2].isSorted() && ![2, 1].isSorted()", True),
    ("sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1]) && sets.intersects([1], [1, 2])", True),
    (
        "quantity('1.5Gi').isGreaterThan(quantity('1Gi')) && quantity('500m').add(quantity('500m')).asInteger() == 1",
        True,
    ),
    ("isQuantity('1x') || isURL('::') || isIP('1.2.3') || isCIDR('10.0.0.0') || isSemver('1.2')", False),
    ("url('https://u@h.x:80/a?b=c').getHostname() + url('https://h:80/').getPort()", "h.x80"),
    ("ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && ip.isCanonical('::1')", True),
    ("cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", True),
    ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8", True),
    ("semver('1.2.3-alpha.1').isLessThan(semver('1.2.3')) && semver('v1.0', true).major() == 1", True),
    ("format.dns1123Label().validate('ok').hasValue() || format.named('nope').hasValue()", False),
]


@pytest.mark.parametrize(("text", "want"), VALUES)
def test_an_expression_has_its_value(text: str, want: Any) -> None:
    if want is None:
        with pytest.raises(CelError):
            program.compile(text, {"self": None}).run({"self": SELF})
        return
    found, cost = program.compile(text, {"self": None}).run({"self": SELF})
    assert found == want
    assert type(found) is type(want)
    assert cost >= 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("self.zz", "no such key: zz"),
        ("self.m['zz']", "no such key: zz"),
        ("self.l[3]", "index out of bounds: 3"),
        ("self.l[-1]", "index out of bounds: -1"),
        ("self.s + self.n", "no such overload"),
        ("self.s.zz", "no such overload"),
        ("self.n / 0", "division by zero"),
        ("self.n % 0", "modulus by zero"),
        ("9223372036854775807 + self.n", "integer overflow"),
        ("uint(self.n) - 4u", "unsigned integer overflow"),
        ("duration(self.s)", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("self.l.all(x, x / 0 > 1)", "division by zero"),
        ("optional.none().value()", "optional.none() dereference"),
        ("self.s.charAt(9)", "index out of range: 9"),
    ],
)
def test_what_cannot_be_computed_says_why(text: str, error: str) -> None:
    with pytest.raises(EvaluationError) as found:
        program.compile(text, {"self": None}).run({"self": SELF})
    assert str(found.value) == error


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("1 +", "ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting"),
        ("[1, 2", "ERROR: <input>:1:6: Syntax error: missing ']' at '<EOF>'"),
        ("a $ b", "ERROR: <input>:1:3: Syntax error: token recognition error at: '$'"),
        ("has(x)", "ERROR: <input>:1:5: invalid argument to has() macro"),
        ("[1].all(1, true)", "ERROR: <input>:1:9: argument must be a simple name"),
        ("99999999999999999999", "ERROR: <input>:1:1: invalid int literal"),
        ("for", "ERROR: <input>:1:1: reserved identifier: for"),
    ],
)
def test_a_text_that_is_no_expression_is_refused_where_it_goes_wrong(text: str, first: str) -> None:
    with pytest.raises(CompileError) as found:
        program.compile(text, {"a": None, "b": None, "x": None})
    assert str(found.value).startswith(first)
    assert str(found.value).splitlines()[1] == f" | {text}"


def test_a_caret_stands_under_the_place() -> None:
    with pytest.raises(CompileError) as found:
        program.compile("true &&\n has(1)", {})
    assert str(found.value) == "ERROR: <input>:2:6: invalid argument to has() macro\n |  has(1)\n | .....^"


def test_an_expression_that_costs_too_much_is_stopped() -> None:
    items = list(range(2000))
    with pytest.raises(CostExceeded, match="operation cancelled: actual cost limit exceeded"):
        program.compile("l.all(a, l.all(b, a + b >= 0))", {"l": None}).run({"l": items})


@pytest.mark.parametrize("text", ["(" * 5000 + "1" + ")" * 5000, "[" * 5000, "[" * 300 + "]" * 300])
def test_a_deep_expression_is_refused_and_not_recursed_into(text: str) -> None:
    with pytest.raises(CompileError, match="recursion"):
        program.compile(text, {"x": None})
