"""Expectations as JUnit XML, as CI systems read test results.

In: Reports. Out: one text; a suite a report, a case an expectation, and one for the verdict where none is expected.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.objects import Obj


def text(reports: Sequence[Obj]) -> str:
    """Return the document."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    suites = [_suite(report) for report in reports]
    tests, failures = sum(suite[1] for suite in suites), sum(suite[2] for suite in suites)
    lines.append(f'<testsuites name="kctl" tests="{tests}" failures="{failures}" errors="0">')
    for suite_lines, _, _ in suites:
        lines += suite_lines
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(report: Obj) -> tuple[list[str], int, int]:
    name = (report.get("scenario") or {}).get("name") or "plan"
    cases = report.get("expectations") or [
        {
            "text": "converged",
            "holds": report["verdict"] == "Converged",
            "found": f"the verdict was {report['verdict']}",
        }
    ]
    failed = [case for case in cases if not case["holds"]]
    seconds = f"{report['virtualSeconds']:g}"
    head = f'  <testsuite name="{_quoted(name)}" tests="{len(cases)}" failures="{len(failed)}" errors="0" time="{seconds}">'
    lines = [head]
    for case in cases:
        about = f'    <testcase classname="{_quoted(name)}" name="{_quoted(case["text"])}" time="{seconds}"'
        if case["holds"]:
            lines.append(f"{about}/>")
            continue
        lines += [
            f"{about}>",
            f'      <failure message="{_quoted(case["found"])}">{_plain(_why(report, case))}</failure>',
        ]
        lines.append("    </testcase>")
    return [*lines, "  </testsuite>"], len(cases), len(failed)


def _why(report: Obj, case: Obj) -> str:
    """Return what a person who reads of the failure wants to know."""
    lines = [f"{case['text']}: {case['found']}", f"verdict: {report['verdict']} {report['why']}".rstrip()]
    left = report["residual"]
    lines += [f"{entry['count']} x {entry['owner']} {entry['reason']}: {entry['message']}" for entry in left]
    return "\n".join(lines)


def _plain(value: str) -> str:
    """Return a text as XML holds it; what XML cannot hold is left out."""
    allowed = "".join(char for char in value if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff"))
    return allowed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(value: str) -> str:
    return _plain(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
