"""From tokens to an expression: the grammar of CEL, precedence climbing.

In: a text. Out: an :mod:`ast` with macros expanded; CompileError with the words of cel-go's parser.
"""

from __future__ import annotations

from kctl.api.cel import literals, macros
from kctl.api.cel.ast import Call, Const, Expr, Ident, ListExpr, MapExpr, Select, StructExpr
from kctl.api.cel.errors import CompileError, Issue
from kctl.api.cel.lexer import MAX_SIZE, RESERVED, Token, tokens

MAX_DEPTH = 250
"""As cel-go's default recursion limit."""
START = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
"""What may begin an expression, as ANTLR says it."""
RELATIONS = ("<", "<=", ">=", ">", "==", "!=", "in")
LEVELS = (("||",), ("&&",), RELATIONS, ("+", "-"), ("*", "/", "%"))


class _Stop(Exception):
    """Nothing behind a syntax error is looked at."""


def parse(source: str) -> Expr:
    """Return the expression a text is; CompileError when it is none."""
    if len(source) > MAX_SIZE:
        text = f"expression code point size exceeds limit: size: {len(source)}, limit {MAX_SIZE}"
        raise CompileError(source[:0], [Issue(0, text)])
    words, issues = tokens(source)
    parser = _Parser(words, issues)
    try:
        expr = parser.whole()
    except _Stop:
        raise CompileError(source, sorted(parser.issues)) from None
    except RecursionError:
        raise CompileError(source, [Issue(0, "expression recursion limit exceeded")]) from None
    if parser.issues:
        raise CompileError(source, sorted(parser.issues))
    return expr


class _Parser:
    def __init__(self, words: list[Token], issues: list[Issue]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self.issues = issues

    def whole(self) -> Expr:
        """Read an expression and nothing behind it."""
        expr = self._expr()
        rest = self._peek()
        if rest.kind != "end":
            how = "extraneous" if self._words[self._at + 1].kind == "end" else "mismatched"
            self._fail(rest, f"Syntax error: {how} input '{rest.text}' expecting <EOF>")
        return expr

    # words

    def _peek(self) -> Token:
        return self._words[self._at]

    def _next(self) -> Token:
        word = self._words[self._at]
        if word.kind != "end":
            self._at += 1
        return word

    def _take(self, text: str) -> Token | None:
        word = self._words[self._at]
        if word.text == text and word.kind in ("op", "ident"):
            self._at += 1
            return word
        return None

    def _want(self, text: str) -> Token:
        word = self._take(text)
        if word is None:
            found = self._peek()
            shown = found.text
            if found.kind == "end":
                self._fail(found, f"Syntax error: missing '{text}' at '<EOF>'")
            self._fail(found, f"Syntax error: mismatched input '{shown}' expecting '{text}'")
        assert word is not None  # noqa: S101 - _fail raises
        return word

    def _fail(self, word: Token, message: str) -> None:
        self.issues.append(Issue(word.offset, message))
        raise _Stop

    # grammar

    def _expr(self) -> Expr:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(self._peek(), f"expression recursion limit exceeded: {MAX_DEPTH}")
        try:
            condition = self._binary(0)
            question = self._take("?")
            if question is None:
                return condition
            then = self._binary(0)
            self._want(":")
            return Call(question.offset, "_?_:_", [condition, then, self._expr()])
        finally:
            self._depth -= 1

    def _binary(self, level: int) -> Expr:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while True:
            word = self._peek()
            if word.text not in LEVELS[level] or word.kind not in ("op", "ident"):
                return left
            self._next()
            right = self._binary(level + 1)
            function = "@in" if word.text == "in" else f"_{word.text}_"
            left = Call(word.offset, function, [left, right])

    def _unary(self) -> Expr:
        word = self._peek()
        if word.kind == "op" and word.text in ("!", "-"):
            count = 0
            while self._peek().text == word.text and self._peek().kind == "op":
                last = self._next()
                count += 1
            following = self._peek()
            if word.text == "-" and count == 1 and following.kind in ("int", "float"):
                return self._member(self._negative(last.offset))
            operand = self._member(self._primary())
            if count % 2 == 0:
                return operand
            return Call(word.offset, "!_" if word.text == "!" else "-_", [operand])
        return self._member(self._primary())

    def _negative(self, offset: int) -> Expr:
        word = self._next()
        if word.kind == "float":
            return Const(offset, -float(word.text))
        return self._literal(word, lambda: literals.integer(word.text, negative=True), offset)

    def _member(self, expr: Expr) -> Expr:
        while True:
            dot = self._take(".")
            if dot is not None:
                expr = self._after_dot(expr, dot)
                continue
            bracket = self._take("[")
            if bracket is None:
                return expr
            optional = self._take("?") is not None
            index = self._expr()
            self._want("]")
            expr = Call(bracket.offset, "_[?_]" if optional else "_[_]", [expr, index])

    def _after_dot(self, expr: Expr, dot: Token) -> Expr:
        optional = self._take("?") is not None
        name = self._next()
        if name.kind == "escaped":
            field = name.text[1:-1]
        elif name.kind == "ident" and name.text not in ("true", "false", "null", "in"):
            field = name.text
        else:
            self._at -= name.kind != "end"
            if name.kind == "end":
                self._fail(name, "Syntax error: no viable alternative at input '.'")
            self._fail(name, f"Syntax error: no viable alternative at input '.{name.text}'")
            raise _Stop
        opened = None if optional or name.kind == "escaped" else self._take("(")
        if opened is not None:
            args = self._list(")")
            return self._call(opened.offset, field, args, expr)
        return Select(dot.offset, expr, field, optional=optional)

    def _call(self, offset: int, function: str, args: list[Expr], target: Expr | None) -> Expr:
        try:
            found = macros.expand(offset, target, function, args)
        except macros.BadMacro as error:
            self.issues.append(Issue(error.offset, error.message))
            return Const(offset, None)
        return found if found is not None else Call(offset, function, args, target)

    def _list(self, end: str) -> list[Expr]:
        """Read expressions with commas between them, up to the closing word."""
        found: list[Expr] = []
        while self._take(end) is None:
            found.append(self._expr())
            if self._take(",") is None:
                self._want(end)
                break
            if end == ")" and self._peek().text == ")":
                self._fail(self._peek(), f"Syntax error: mismatched input ')' expecting {START}")
        return found

    def _primary(self) -> Expr:
        word = self._next()
        if word.kind == "op":
            return self._bracketed(word)
        if word.kind == "ident":
            return self._named(word)
        if word.kind == "int":
            return self._literal(word, lambda: literals.integer(word.text))
        if word.kind == "uint":
            return self._literal(word, lambda: literals.unsigned(word.text))
        if word.kind == "float":
            return Const(word.offset, float(word.text))
        if word.kind == "string":
            return self._literal(word, lambda: literals.string(word.text))
        if word.kind == "bytes":
            return self._literal(word, lambda: literals.data(word.text))
        self._fail(word, f"Syntax error: mismatched input '{word.text}' expecting {START}")
        raise _Stop

    def _literal(self, word: Token, read: object, offset: int | None = None) -> Expr:
        at = word.offset if offset is None else offset
        try:
            return Const(at, read())  # type: ignore[operator]
        except literals.BadLiteral as error:
            self.issues.append(Issue(at, str(error)))
            return Const(at, 0)

    def _bracketed(self, word: Token) -> Expr:
        if word.text == "(":
            expr = self._expr()
            self._want(")")
            return expr
        if word.text == "[":
            return self._list_literal(word)
        if word.text == "{":
            return self._map_literal(word)
        if word.text == "." and self._peek().kind == "ident":
            name = self._next()
            return self._named(Token("ident", f".{name.text}", name.offset))
        self._at -= 1
        self._fail(word, f"Syntax error: mismatched input '{word.text}' expecting {START}")
        raise _Stop

    def _list_literal(self, opened: Token) -> Expr:
        items: list[Expr] = []
        optional: set[int] = set()
        while self._take("]") is None:
            if self._take("?") is not None:
                optional.add(len(items))
            items.append(self._expr())
            if self._take(",") is None:
                self._want("]")
                break
        return ListExpr(opened.offset, items, frozenset(optional))

    def _map_literal(self, opened: Token) -> Expr:
        entries: list[tuple[Expr, Expr, bool]] = []
        while self._take("}") is None:
            optional = self._take("?") is not None
            key = self._expr()
            self._want(":")
            entries.append((key, self._expr(), optional))
            if self._take(",") is None:
                self._want("}")
                break
        return MapExpr(opened.offset, entries)

    def _named(self, word: Token) -> Expr:
        if word.text in ("true", "false", "null"):
            return Const(word.offset, {"true": True, "false": False, "null": None}[word.text])
        if word.text in RESERVED:
            self.issues.append(Issue(word.offset, f"reserved identifier: {word.text}"))
            return Const(word.offset, None)
        if word.text == "in":
            self._fail(word, f"Syntax error: mismatched input 'in' expecting {START}")
        opened = self._take("(")
        if opened is not None:
            return self._call(opened.offset, word.text, self._list(")"), None)
        struct = self._struct(word)
        return struct if struct is not None else Ident(word.offset, word.text)

    def _struct(self, word: Token) -> Expr | None:
        """Read a struct literal if the qualified name here begins one."""
        at, name = self._at, word.text
        while self._words[at].text == "." and self._words[at + 1].kind == "ident":
            name += f".{self._words[at + 1].text}"
            at += 2
        if self._words[at].text != "{" or self._words[at].kind != "op":
            return None
        opened = self._words[at]
        self._at = at + 1
        fields: list[tuple[str, Expr, bool, int]] = []
        while self._take("}") is None:
            optional = self._take("?") is not None
            field = self._next()
            if field.kind not in ("ident", "escaped"):
                self._fail(field, f"Syntax error: mismatched input '{field.text}' expecting IDENTIFIER")
            colon = self._want(":")
            fields.append((field.text.strip("`"), self._expr(), optional, colon.offset))
            if self._take(",") is None:
                self._want("}")
                break
        return StructExpr(opened.offset, name, fields)
