"""The language of expectations: what can be written, what it means, what it says when it does not hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.scenario import expectations, formulas, judging
from kctl.api.scenario.expectations import ExpectationError, Point, Value
from kctl.api.scenario.judging import Judge


class World:
    """Values by the text of what is asked."""

    def __init__(self, **values: Value) -> None:
        self.values = dict(values)

    def value(self, point: Point) -> Value:
        return self.values.get(point.name, 0.0)


def judged(text: str, samples: list[tuple[float, float]], **end: Value) -> judging.Judgement:
    """Judge ``text`` where ``available`` takes the given values at the given times."""
    judge = Judge(text, expectations.parse(text))
    world = World(**end)
    for at, value in samples:
        world.values["available"] = value
        judge.observe(world, at)
    return judge.judge(world, 100.0)


SAMPLES = [(0.0, 9.0), (100.0, 3.0), (130.0, 1.0), (160.0, 3.0)]
"""The clock starts at 100; before it there were 9."""


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("min(available(deploy/web)) == 1", True),
        ("max(available(deploy/web)) == 3", True),
        ("min(available(deploy/web), 1m) == 3", True),
        ("min(available(deploy/web), 0s, 29s) == 3", True),
        ("min(available(deploy/web), 0s, 30s) == 1", True),
        ("at(0s, available(deploy/web)) == 3", True),
        ("at(45s, available(deploy/web)) == 1", True),
        ("at(1h, available(deploy/web)) == 3", True),
        ("ever(available(deploy/web) < 2)", True),
        ("ever(available(deploy/web) > 5)", False),
        ("always(available(deploy/web) >= 2)", False),
        ("always(available(deploy/web) >= 2, 60s)", True),
        ("finally(available(deploy/web)) = 3", True),
        ("available(deploy/web) == 3", True),
        ("available(deploy/web) == 1 within 30s", True),
        ("available(deploy/web) == 1 within 29s", False),
        ("min(available(deploy/web)) + 2 == max(available(deploy/web))", True),
        ("not ever(available(deploy/web) == 0) and available(deploy/web) == 3", True),
        ("available(deploy/web) == 4 or available(deploy/web) * 2 == 6", True),
        ("-1 < available(deploy/web) - 4", False),
        ("converged within 10m", True),
        ("converged within 1m", False),
        ("seconds <= 2m", True),
        ('phase(pvc/data) == "Bound"', True),
        ("condition(deploy/web, Available)", True),
        ("exists(pod/x) == false", True),
    ],
)
def test_an_expectation_means_what_it_says(text: str, *, holds: bool) -> None:
    end = {"converged": True, "seconds": 65.0, "phase": "Bound", "condition": "True", "exists": False}
    assert judged(text, SAMPLES, **end).holds is holds


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("min(available(deploy/web)) >= 2", "min(available(deploy/web)) was 1 at +30s"),
        ("always(available(deploy/web) >= 2)", "available(deploy/web) >= 2 did not hold at +30s"),
        ("ever(available(deploy/web) > 5)", "available(deploy/web) > 5 never held"),
        ("available(deploy/web) == 7 within 5m", "available(deploy/web) == 7 never held in that time"),
        ("available(deploy/web) == 7", "available(deploy/web) was 3"),
        ("not available(deploy/web) == 3 and converged", "available(deploy/web) was 3, converged was false"),
    ],
)
def test_what_was_found_instead_is_told_with_its_time(text: str, found: str) -> None:
    judgement = judged(text, SAMPLES, converged=False)
    assert not judgement.holds
    assert judgement.found == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("foo(1)", "'foo' is not known"),
        ("1 +", "something is missing"),
        ("min(max(available(deploy/web)))", "cannot stand within another"),
        ("always(converged)", "known at the end only"),
        ("available == 3", "wants an object"),
        ("available(web) == 3", "wants an object"),
        ("phase(pvc/x) >= 3", "cannot compare"),
        ('phase(pvc/x) >= "a"', "is for numbers"),
        ("phase(pvc/x)", "compare it"),
        ('phase(pvc/x) and "a"', "neither true nor false"),
        ("available(deploy/web) 3", "was not expected"),
        ("available(deploy/web) == 3 within soon", "is not a duration"),
        ("min(available(deploy/web), 5m, 1m) > 1", "before the first"),
        ("(" * 60 + "1" + ")" * 60, "nested too deeply"),
        ("not " * 60 + "converged", "nested too deeply"),
        ("__import__('os')", "was not expected"),
        ("available(deploy/web).__class__", "was not expected"),
        ("x" * 3000, "longer than"),
    ],
)
def test_what_is_no_expectation_is_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(ExpectationError, match=said.replace("(", r"\(")):
        expectations.parse(text)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="minaxvlbedoyr()<>=!&|,.0123456789 '\"/+-*@s", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = expectations.parse(text)
    except ExpectationError:
        return
    assert expectations.parse(judging.written(node)) is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50m", 0.05),
        ("base 50m + load / replicas", 25.05),
        ("300Mi", 300 * 1024**2),
        ("max(100m, 1m * load)", 0.1),
        ("min(1, load) - 2", 0.0),
        ("load / 0", 0.0),
        ("(1 + 2) * 3", 9.0),
        ("10m * seconds", 0.3),
    ],
)
def test_a_formula_is_arithmetic_and_never_below_nothing(text: str, value: float) -> None:
    found = formulas.parse(text).value({"load": 100.0, "replicas": 4.0, "seconds": 30.0})
    assert found == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "1 +", "x", "1 2", "(1", "__import__", "1;2", "min(1)", "10Q", "(" * 80 + "1"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(formulas.FormulaError):
        formulas.parse(text)
