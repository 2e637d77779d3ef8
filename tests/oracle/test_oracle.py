"""Recorded answers of a real control plane: rates may only rise (floors.json), and what fails is known (known.json).

The normal run takes a sample; ``pytest -m slow tests/oracle`` runs every case.
"""

from __future__ import annotations

import pytest

from tests.oracle import FOLDER, api, runner

SAMPLE = {"defaulting": 15, "validation": 40, "patch": 10, "apply": 10, "protocol": 10, "admission": 10}
PLAIN = "def-ContainerSolutions_kubernetes-examples-Pod-0f9f0008"

needs_recordings = pytest.mark.skipif(not FOLDER.is_dir(), reason="20 sets of recordings are not beside the checkout")


def check(part: str, name: str, results: list) -> None:
    floor = runner.floors().get(part, {}).get(name, 0.0)
    wrong = [f"{result.id}: {result.why}" for result in results if not result.passed]
    assert runner.rate(results) >= floor, f"{runner.line(name, results)}, floor {floor}\n" + "\n".join(wrong[:5])


@needs_recordings
@pytest.mark.parametrize("name", sorted(SAMPLE))
def test_a_sample_of_the_answers_is_as_recorded(name):
    check("sample", name, list(api.results(name, every=SAMPLE[name])(FOLDER)))


@needs_recordings
@pytest.mark.slow
@pytest.mark.parametrize("name", runner.ALL)
def test_the_answers_are_as_recorded(name):
    runnable = runner.sets()
    if name not in runnable:
        pytest.skip(f"{name} has no runner yet")
    results = list(runnable[name](FOLDER))
    check("whole", name, results)
    reasons = runner.known().get(name, {})
    assert [f"{result.id}: {result.why}" for result in results if not result.passed and result.id not in reasons] == []


@needs_recordings
def test_every_known_failure_has_a_reason_and_is_of_a_set():
    for name, reasons in runner.known().items():
        assert name in runner.ALL
        assert [id_ for id_, why in reasons.items() if len(why) < 12] == []


@needs_recordings
def test_a_broken_answer_fails_its_case():
    case = next(case for case in api.cases(FOLDER, "defaulting") if case["id"] == PLAIN)
    assert api.difference("defaulting", case) == ""
    case["steps"][0]["response"]["body"]["spec"] = {"other": True}
    assert api.difference("defaulting", case) != ""


def test_floors_never_fall(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "FLOORS", tmp_path / "floors.json")
    runner.raise_floors("whole", {"patch": 0.5})
    runner.raise_floors("whole", {"patch": 0.4, "crd": 0.1})
    assert runner.floors()["whole"] == {"patch": 0.5, "crd": 0.1}


def test_the_list_of_failures_only_shrinks(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "KNOWN", tmp_path / "known.json")
    runner.KNOWN.write_text('{"patch": {"a": "why", "b": "why"}, "crd": {"c": "why"}}')
    runner.forget("patch", ["a", "z"])
    runner.forget("crd", ["c"])
    assert runner.known() == {"patch": {"b": "why"}}
