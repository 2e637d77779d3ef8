"""Validation of admission webhooks, and of the rules they share with admission policies.

In comes a webhook configuration, or rules with their path; complaints are appended as
pkg/apis/admissionregistration/validation orders them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
from kctl.api.validation.meta import Errors, formatted

if TYPE_CHECKING:
    from kctl.api.validation.expressions import Compiler

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
REINVOCATION = ("IfNeeded", "Never")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
REVIEW_VERSIONS = ("v1", "v1beta1")
URL_FORM = "; desired format: https://host[/path]"
LONGEST_TIMEOUT = 30
MAX_CONDITIONS = 64


def validating(obj: Obj, out: Errors) -> None:
    """Check a ValidatingWebhookConfiguration."""
    _configuration(obj, out)


def mutating(obj: Obj, out: Errors) -> None:
    """Check a MutatingWebhookConfiguration."""
    _configuration(obj, out)


def _configuration(obj: Obj, out: Errors) -> None:
    """Check webhooks."""
    names: set[str] = set()
    for n, hook in enumerate(obj.get("webhooks") or ()):
        at = f"webhooks[{n}]"
        _webhook(hook, at, out)
        _review_versions(hook.get("admissionReviewVersions") or [], f"{at}.admissionReviewVersions", out)
        name = hook.get("name") or ""
        if name and name in names:
            out.append(errors.duplicate(f"{at}.name", name))
        names.add(name)


def _webhook(hook: Obj, at: str, out: Errors) -> None:
    """Check one webhook."""
    _qualified(hook.get("name") or "", f"{at}.name", out)
    for n, rule in enumerate(hook.get("rules") or ()):
        rule_with_operations(rule, f"{at}.rules[{n}]", out)
    choice(hook.get("failurePolicy"), FAILURE_POLICIES, f"{at}.failurePolicy", out)
    choice(hook.get("matchPolicy"), MATCH_POLICIES, f"{at}.matchPolicy", out)
    if hook.get("sideEffects") is None:
        out.append(errors.required(f"{at}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    choice(hook.get("sideEffects"), SIDE_EFFECTS, f"{at}.sideEffects", out)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= LONGEST_TIMEOUT:
        text = f"the timeout value must be between 1 and {LONGEST_TIMEOUT} seconds"
        out.append(errors.invalid(f"{at}.timeoutSeconds", seconds, text))
    for name in ("namespaceSelector", "objectSelector"):
        meta.selector(hook.get(name), f"{at}.{name}", out)
    choice(hook.get("reinvocationPolicy"), REINVOCATION, f"{at}.reinvocationPolicy", out)
    _client(hook.get("clientConfig") or {}, f"{at}.clientConfig", ("namespace", "name"), out)
    match_conditions(hook.get("matchConditions") or [], f"{at}.matchConditions", out)


def choice(value: str | None, choices: tuple[str, ...], at: str, out: Errors) -> None:
    """Check one of a few words, where one is given."""
    if value is not None and value not in choices:
        out.append(errors.not_supported(at, value, choices))


def _qualified(name: str, at: str, out: Errors) -> None:
    """Check a name of three parts at least, as IsFullyQualifiedName."""
    if not name:
        out.append(errors.required(at))
        return
    complaints = formats.dns_subdomain(name)
    if complaints:
        out.append(errors.invalid(at, name, ",".join(complaints)))
    elif name.count(".") < 2:
        text = "should be a domain with at least three segments separated by dots"
        out.append(errors.invalid(at, name, text))


def rule_with_operations(rule: Obj, at: str, out: Errors) -> None:
    """Check what a webhook or policy is asked about."""
    operations = rule.get("operations") or []
    if not operations:
        out.append(errors.required(f"{at}.operations"))
    _alone(operations, f"{at}.operations", "operations", out)
    for n, operation in enumerate(operations):
        choice(operation, OPERATIONS, f"{at}.operations[{n}]", out)
    for name, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        if not rule.get(name):
            out.append(errors.required(f"{at}.{name}"))
        _alone(rule.get(name) or [], f"{at}.{name}", what, out)
    for n, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            out.append(errors.required(f"{at}.apiVersions[{n}]"))
    _resources(rule.get("resources") or [], f"{at}.resources", out)
    choice(rule.get("scope"), SCOPES, f"{at}.scope", out)


def _alone(values: list[str], at: str, what: str, out: Errors) -> None:
    """Check that ``*`` stands alone."""
    if len(values) > 1 and "*" in values:
        out.append(errors.invalid(at, values, f"if '*' is present, must not specify other {what}"))


def _resources(values: list[str], at: str, out: Errors) -> None:
    """Check resources and subresources: nothing twice by way of a wildcard."""
    if not values:
        out.append(errors.required(at))
    all_parts_of: set[str] = set()
    of_everything: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        if not value:
            out.append(errors.required(here))
        resource, slash, sub = value.partition("/")
        if not slash:
            continue
        for covered, by in ((resource in all_parts_of, f"{resource}/*"), (sub in of_everything, f"*/{sub}")):
            if covered:
                text = f"if '{by}' is present, must not specify {value}"
                out.append(errors.invalid(here, value, text))
        if sub == "*":
            all_parts_of.add(resource)
        if resource == "*":
            of_everything.add(sub)
    if len(values) > 1 and "*/*" in values:
        out.append(errors.invalid(at, values, "if '*/*' is present, must not specify other resources"))
    if "*" in values and any(value != "*" and "/" not in value for value in values):
        text = "if '*' is present, must not specify other resources without subresources"
        out.append(errors.invalid(at, values, text))


def client(value: Obj, at: str, out: Errors) -> None:
    """Check where a conversion webhook is."""
    _client(value, at, ("name", "namespace"), out)


def _client(value: Obj, at: str, called: tuple[str, str], out: Errors) -> None:
    """Check where a webhook is."""
    url, service = value.get("url"), value.get("service")
    if (url is None) == (service is None):
        out.append(errors.required(at, "exactly one of url or service is required"))
    elif url is not None:
        _url(url, f"{at}.url", out)
    else:
        _service(value["service"], f"{at}.service", called, out)


def _url(url: str, at: str, out: Errors) -> None:
    """Check a URL: https, a host, and nothing behind the path."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError as why:
        out.append(errors.required(at, f"url must be a valid URL: {why}{URL_FORM}"))
        return
    if parts.scheme != "https":
        text = f"'https' is the only allowed URL scheme{URL_FORM}"
        out.append(errors.invalid(at, parts.scheme, text))
    user, _, host = parts.netloc.rpartition("@")
    if not host:
        out.append(errors.invalid(at, host, f"host must be specified{URL_FORM}"))
    if user:
        out.append(errors.invalid(at, user, "user information is not permitted in the URL"))
    if parts.fragment:
        out.append(errors.invalid(at, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        out.append(errors.invalid(at, parts.query, "query parameters are not permitted in the URL"))


def _service(value: Obj, at: str, called: tuple[str, str], out: Errors) -> None:
    """Check the service of a webhook; of admission, upstream mistakes its name for its namespace."""
    missing = {name for field, name in zip(("name", "namespace"), called, strict=True) if not value.get(field)}
    for name in ("name", "namespace"):
        if name in missing:
            out.append(errors.required(f"{at}.{name}"))
    port = value.get("port") or 0
    complaints = formats.port_number(port)
    if complaints:
        out.append(errors.invalid(f"{at}.port", port, "port is not valid: " + ",".join(complaints)))
    path = value.get("path") or ""
    if path in {"", "/"}:
        return
    here = f"{at}.path"
    if path == "//":
        out.append(errors.invalid(here, path, "segment[0] may not be empty"))
        return
    if not path.startswith("/"):
        out.append(errors.invalid(here, path, "must start with a '/'"))
    for n, step in enumerate(path[1:].removesuffix("/").split("/")):
        if not step:
            out.append(errors.invalid(here, path, f"segment[{n}] may not be empty"))
            continue
        for text in formats.dns_subdomain(step):
            out.append(errors.invalid(here, path, f"segment[{n}]: {text}"))


def _review_versions(values: list[str], at: str, out: Errors) -> None:
    """Check the versions of reviews a webhook understands."""
    if not values:
        out.append(errors.required(at, f"must specify one of {', '.join(REVIEW_VERSIONS)}"))
        return
    for n, version in enumerate(values):
        if version in values[:n]:
            out.append(errors.invalid(f"{at}[{n}]", version, "duplicate version"))
            continue
        complaints = formats.dns_1035_label(version)
        if complaints:
            out.append(errors.invalid(f"{at}[{n}]", version, ",".join(complaints)))
    if not set(values) & set(REVIEW_VERSIONS):
        text = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        out.append(errors.invalid(at, values, text))


def match_conditions(values: list[Obj], at: str, out: Errors, compiler: Compiler | None = None) -> None:
    """Check conditions: each with an expression that compiles, and a name of its own."""
    if not values:
        return
    from kctl.api.validation.expressions import CONDITION, Compiler

    compiler = compiler or Compiler()
    if len(values) > MAX_CONDITIONS:
        out.append(errors.too_many(at, len(values), MAX_CONDITIONS))
    names: set[str] = set()
    for n, value in enumerate(values):
        here, name = f"{at}[{n}]", value.get("name") or ""
        if not (value.get("expression") or "").strip():
            out.append(errors.required(f"{here}.expression"))
        else:
            compiler.check(value, "expression", here, out, CONDITION, variables=False)
        if not name:
            out.append(errors.required(f"{here}.name"))
        else:
            formatted(formats.qualified_name_plain, name, f"{here}.name", out)
            if name in names:
                out.append(errors.duplicate(f"{here}.name", name))
        names.add(name)
