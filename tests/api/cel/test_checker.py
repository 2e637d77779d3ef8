"""The type checker: which types expressions have, and what does not fit, in the words of cel-go."""

from __future__ import annotations

import pytest

from kctl.api.cel import program
from kctl.api.cel.errors import CompileError
from kctl.api.cel.types import INT, STRING, Type, list_of

OBJECT = Type("object", "object", fields={"a": INT, "s": STRING, "l": list_of(STRING)})


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("self.a + 1", "int"),
        ("{'a': 1}.b", "int"),
        ("self.s.size() == self.a", "bool"),
        ("self.l.map(x, size(x))", "list(int)"),
        ("optional.of(1).orValue(2)", "int"),
        ("self.?s.orValue('x')", "string"),
        ("dyn(1) == 'a'", "bool"),
        ("type(1) == int", "bool"),
        ("duration('1h') + timestamp('2020-01-01T00:00:00Z')", "timestamp"),
        ("cel.bind(x, 1, x + 1)", "int"),
        ("quantity('1').add(1)", "kubernetes.Quantity"),
        ("self.l.transformList(i, v, i)", "list(int)"),
        ("[1, 2u].size()", None),
        ("image('nginx').tag()", "string"),
    ],
)
def test_the_type_of_an_expression(source: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(CompileError, match="expected type 'int' but found 'uint'"):
            program.compile(source, {"self": OBJECT})
    else:
        assert str(program.compile(source, {"self": OBJECT}).type) == found


@pytest.mark.parametrize(
    ("source", "column", "message"),
    [
        ("self.b", 5, "undefined field 'b'"),
        ("self.a + 'x'", 8, "found no matching overload for '_+_' applied to '(int, string)'"),
        ("self.l[0] == 1", 11, "found no matching overload for '_==_' applied to '(string, int)'"),
        ("[1,'a']", 4, "expected type 'int' but found 'string'"),
        ("size(1)", 5, "found no matching overload for 'size' applied to '(int)'"),
        ("foo(1)", 4, "undeclared reference to 'foo' (in container '')"),
        ("zz", 1, "undeclared reference to 'zz' (in container '')"),
        ("self.a ? 1 : 2", 8, "found no matching overload for '_?_:_' applied to '(int, int, int)'"),
        ("1u + 1", 4, "found no matching overload for '_+_' applied to '(uint, int)'"),
        ("self.a in self.l", 8, "found no matching overload for '@in' applied to '(int, list(string))'"),
        ("has(self.a.b)", 4, "type 'int' does not support field selection"),
        ("duration('x') < duration('1h')", 10, "invalid duration argument"),
        ("self.s.matches('(')", 16, "invalid matches argument"),
        ("timestamp('2020')", 11, "invalid timestamp argument"),
    ],
)
def test_what_does_not_fit(source: str, column: int, message: str) -> None:
    with pytest.raises(CompileError) as wrong:
        program.compile(source, {"self": OBJECT})
    dots = "." * (column - 1)
    assert str(wrong.value) == f"ERROR: <input>:1:{column}: {message}\n | {source}\n | {dots}^"


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(CompileError) as wrong:
        program.compile("a / b", {})
    assert str(wrong.value).count("undeclared reference to") == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', "),
        ("1h", "ERROR: <input>:1:2: Syntax error: extraneous input 'h' expecting <EOF>\n | 1h\n | .^"),
        ("1.2.3.4.5", "ERROR: <input>:1:4: Syntax error: mismatched input '.3' expecting <EOF>"),
        ("99999999999999999999", "ERROR: <input>:1:1: invalid int literal"),
    ],
)
def test_what_is_no_expression(source: str, message: str) -> None:
    with pytest.raises(CompileError) as wrong:
        program.compile(source, {})
    assert str(wrong.value).startswith(message)
