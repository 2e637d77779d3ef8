"""What literals mean: numbers in their range, texts and bytes with their escapes."""

from __future__ import annotations

from kctl.api.cel.values import INT_MAX, UINT_MAX, UInt

SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}


class BadLiteral(ValueError):
    """A literal that means nothing; the text is cel-go's."""


def integer(text: str, *, negative: bool = False) -> int:
    """Read an integer literal."""
    value = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    if value > INT_MAX + negative:
        raise BadLiteral("invalid int literal")
    return -value if negative else value


def unsigned(text: str) -> UInt:
    """Read an unsigned literal."""
    digits = text[:-1]
    value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
    if value > UINT_MAX:
        raise BadLiteral("invalid uint literal")
    return UInt(value)


def string(text: str) -> str:
    """Read a text literal in any of its quotes."""
    raw = text[0] in "rR"
    body = _body(text[1:] if raw else text)
    return body if raw else _unescaped(body)


def data(text: str) -> bytes:
    """Read a bytes literal."""
    text = text[1:]
    raw = text[0] in "rR"
    body = _body(text[1:] if raw else text)
    if raw:
        return body.encode()
    out = bytearray()
    n = 0
    while n < len(body):
        if body[n] != "\\":
            out += body[n].encode()
            n += 1
            continue
        value, n = _escape(body, n, in_bytes=True)
        out += bytes([ord(value)]) if body[n - 1] not in SIMPLE.values() and ord(value) <= BYTE else value.encode()
    return bytes(out)


BYTE = 0xFF


def _body(text: str) -> str:
    size = 3 if text[:3] in ('"""', "'''") and len(text) >= len("''''''") else 1
    return text[size:-size].replace("\r\n", "\n")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    n = 0
    while n < len(text):
        if text[n] != "\\":
            out.append(text[n])
            n += 1
            continue
        value, n = _escape(text, n)
        out.append(value)
    return "".join(out)


def _escape(text: str, n: int, *, in_bytes: bool = False) -> tuple[str, int]:
    """Read the escape at ``n``; return what it stands for and where it ends."""
    letter = text[n + 1 : n + 2]
    if letter in SIMPLE and letter:
        return SIMPLE[letter], n + 2
    sizes = {"x": 2, "X": 2, "u": 4, "U": 8}
    if letter in sizes and not (in_bytes and letter in "uU"):
        digits = text[n + 2 : n + 2 + sizes[letter]]
        if len(digits) < sizes[letter] or any(c not in "0123456789abcdefABCDEF" for c in digits):
            raise BadLiteral("unable to unescape string")
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise BadLiteral("invalid unicode code point")
        return chr(code), n + 2 + sizes[letter]
    digits = text[n + 1 : n + 4]
    if len(digits) == len("000") and digits[0] in "0123" and all(c in "01234567" for c in digits):
        return chr(int(digits, 8)), n + 4
    raise BadLiteral("unable to unescape string")
