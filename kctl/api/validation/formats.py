"""The formats of names, labels, ports and addresses: a text in, a list of complaints out.

Each function returns what is wrong with a value, in the words of
k8s.io/apimachinery/pkg/util/validation (and api/validate/content); an empty list means valid.
Fields and paths are not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

Format = Callable[[str], list[str]]

NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"

LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_1123_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
SUBDOMAIN_UNDERSCORE_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character"
)
LABEL_1123_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)


def dotted(label: str) -> str:
    """Return the expression of labels joined by dots, as upstream writes it."""
    return rf"{label}(\.{label})*"


def regex_error(text: str, pattern: str, *examples: str) -> str:
    """Return the complaint about a value that does not match, as validation.RegexError."""
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long(limit: int, unit: str = "characters") -> str:
    """Return the complaint about a value that is too long."""
    return f"must be no more than {limit} {unit}"


def size(text: str) -> int:
    """Return the length in bytes, which is what Go's len counts."""
    return len(text) if text.isascii() else len(text.encode())


def dns_label(value: str) -> list[str]:
    """Check a DNS-1123 label."""
    out = [too_long(63)] if size(value) > 63 else []
    if not re.fullmatch(LABEL_1123, value):
        if re.fullmatch(dotted(LABEL_1123), value):
            out.append("must not contain dots")
        else:
            out.append(regex_error(LABEL_1123_TEXT, LABEL_1123, "my-name", "123-abc"))
    return out


def dns_subdomain(value: str) -> list[str]:
    """Check a DNS-1123 subdomain."""
    out = [too_long(253)] if size(value) > 253 else []
    if not re.fullmatch(dotted(LABEL_1123), value):
        out.append(regex_error(SUBDOMAIN_TEXT, dotted(LABEL_1123), "example.com"))
    return out


def long_name(value: str) -> list[str]:
    """Check a DNS-1123 subdomain in the words of declarative validation (k8s-long-name)."""
    out = [too_long(253, "bytes")] if size(value) > 253 else []
    return out + [text for text in dns_subdomain(value) if not text.startswith("must be no more")]


def dns_subdomain_underscore(value: str) -> list[str]:
    """Check a DNS-1123 subdomain that may hold underscores (search paths)."""
    out = [too_long(253)] if size(value) > 253 else []
    if not re.fullmatch(dotted(LABEL_1123_UNDERSCORE), value):
        out.append(regex_error(SUBDOMAIN_UNDERSCORE_TEXT, dotted(LABEL_1123_UNDERSCORE), "example.com"))
    return out


def wildcard_subdomain(value: str) -> list[str]:
    """Check a DNS-1123 subdomain that begins with ``*.``."""
    pattern = r"\*\." + dotted(LABEL_1123)
    out = [too_long(253)] if size(value) > 253 else []
    if not re.fullmatch(pattern, value):
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
            "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        out.append(regex_error(text, pattern, "*.example.com"))
    return out


def dns_1035_label(value: str) -> list[str]:
    """Check a DNS-1035 label."""
    out = [too_long(63)] if size(value) > 63 else []
    if not re.fullmatch(LABEL_1035, value):
        out.append(regex_error(LABEL_1035_TEXT, LABEL_1035, "my-name", "abc-123"))
    return out


@lru_cache(maxsize=8192)
def is_plain_key(value: str) -> bool:
    """Say whether a qualified name is valid; the same few keys are asked about again and again."""
    prefix, slash, name = value.rpartition("/")
    if slash and (not prefix or dns_subdomain(prefix)):
        return False
    return size(name) <= 63 and re.fullmatch(QUALIFIED, name) is not None


@lru_cache(maxsize=8192)
def is_plain_value(value: str) -> bool:
    """Say whether the value of a label is valid."""
    return size(value) <= 63 and re.fullmatch(LABEL_VALUE, value) is not None


def qualified_name(value: str, kind: str = "a valid label key") -> list[str]:
    """Check a name with an optional DNS subdomain in front."""
    if is_plain_key(value):
        return []
    parts = value.split("/")
    error = regex_error(QUALIFIED_TEXT, QUALIFIED, "MyName", "my.name", "123-abc")
    if len(parts) > 2:
        return [f"{kind} {error} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    out = []
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            out.append("prefix part must be non-empty")
        else:
            out += ["prefix part " + text for text in long_name(parts[0])]
    if not name:
        out.append("name part must be non-empty")
    elif size(name) > 63:
        out.append("name part " + too_long(63, "bytes"))
    if not re.fullmatch(QUALIFIED, name):
        out.append("name part " + error)
    return out


def qualified_name_plain(value: str) -> list[str]:
    """Check a qualified name that is no label key, as IsQualifiedName."""
    return qualified_name(value, "a qualified name")


def label_value(value: str) -> list[str]:
    """Check the value of a label."""
    if is_plain_value(value):
        return []
    out = [too_long(63, "bytes")] if size(value) > 63 else []
    if not re.fullmatch(LABEL_VALUE, value):
        out.append(regex_error(LABEL_VALUE_TEXT, LABEL_VALUE, "MyValue", "my_value", "12345"))
    return out


HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"


def http_path(value: str) -> list[str]:
    """Check the path of a URL."""
    return [] if re.fullmatch(HTTP_PATH, value) else [regex_error("Invalid path", HTTP_PATH)]


def path_segment(value: str) -> list[str]:
    """Check a name that goes into a path, as path.IsValidPathSegmentName."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{mark}'" for mark in ("/", "%") if mark in value]


def path_segment_prefix(value: str) -> list[str]:
    """Check the beginning of a name that goes into a path."""
    return [f"may not contain '{mark}'" for mark in ("/", "%") if mark in value]


def port_number(value: int) -> list[str]:
    """Check a port number."""
    return [] if 1 <= value <= 65535 else [in_range(1, 65535)]


def in_range(low: int, high: int) -> str:
    """Return the complaint about a number outside a closed range."""
    return f"must be between {low} and {high}, inclusive"


def port_name(value: str) -> list[str]:
    """Check the name of a port (IANA service name)."""
    out = [too_long(15)] if size(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        out.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        out.append("must contain at least one letter (a-z)")
    if "--" in value:
        out.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        out.append("must not begin or end with a hyphen")
    return out


def config_key(value: str) -> list[str]:
    """Check a key of a ConfigMap's or Secret's data."""
    out = [too_long(253)] if size(value) > 253 else []
    pattern = "[-._a-zA-Z0-9]+"
    if not re.fullmatch(pattern, value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        out.append(regex_error(text, pattern, "key.name", "KEY_NAME", "key-name"))
    else:
        out += _dotty(value)
    return out


def _dotty(value: str) -> list[str]:
    """Refuse the names that lead out of a directory."""
    if value == ".":
        return ["must not be '.'"]
    if value == "..":
        return ["must not be '..'"]
    if value.startswith(".."):
        return ["must not start with '..'"]
    return []


def env_var_name(value: str) -> list[str]:
    """Check the name of an environment variable, as IsRelaxedEnvVarName."""
    if not value:
        return ["environment variable name must be non-empty"]
    if all(" " <= letter <= "~" and letter != "=" for letter in value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def http_header_name(value: str) -> list[str]:
    """Check the name of an HTTP header."""
    pattern = "[-A-Za-z0-9]+"
    if re.fullmatch(pattern, value):
        return []
    return [regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", pattern, "X-Header-Name")]


def percent(value: str) -> list[str]:
    """Check a percentage."""
    if re.fullmatch("[0-9]+%", value):
        return []
    return [
        regex_error("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%")
    ]


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
PLAIN_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


def ip(value: str) -> list[str]:
    """Check an IPv4 or IPv6 address."""
    return [] if is_ip(value) else ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]


def canonical_ip(value: str) -> list[str]:
    """Check an address as it is written in names of IPAddresses."""
    address = parse_ip(value)
    if address is None:
        return ip(value)
    return [] if str(address) == value else [f'must be in canonical form ("{address}")']


def cidr(value: str) -> list[str]:
    """Check an IPv4 or IPv6 network."""
    from ipaddress import ip_interface

    try:
        address, slash, bits = value.partition("/")
        if slash and bits.isascii() and bits.isdigit() and parse_ip(address) is not None:
            ip_interface(f"{_plain(address)}/{int(bits)}")
            return []
    except ValueError:
        pass
    return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def _plain(value: str) -> str:
    """Drop the leading zeros that Kubernetes' sloppy parser accepts in IPv4."""
    if ":" in value:
        return value
    return ".".join(part.lstrip("0") or "0" if part.isascii() and part.isdigit() else part for part in value.split("."))


def is_ip(value: str) -> bool:
    """Say whether the text is an address; the usual form is seen at a glance."""
    return PLAIN_IPV4.fullmatch(value) is not None or parse_ip(value) is not None


@lru_cache(maxsize=16384)
def parse_ip(value: str) -> IPv4Address | IPv6Address | None:
    """Return the address, None when it is none (netutils.ParseIPSloppy)."""
    from ipaddress import ip_address

    if "%" in value:
        return None
    try:
        return ip_address(_plain(value))
    except ValueError:
        return None


def is_ipv6(value: str) -> bool:
    """Say whether the text is an IPv6 address."""
    address = parse_ip(value)
    return address is not None and getattr(address, "version", 4) == 6


# Names of objects: a check for a full name, and whether generateName (a prefix) is checked
# with its trailing dash masked, as apimachinery's ValidateNameFunc does.


def as_prefix(check: Format) -> Format:
    """Return the check for a prefix: a trailing dash is as good as a letter."""

    def prefix(value: str) -> list[str]:
        if len(value) > 1 and value.endswith("-"):
            value = value[:-2] + "a"
        return check(value)

    return prefix
