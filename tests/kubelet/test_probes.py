"""When a container is started and ready, by its probes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.kubelet.probes import ready_after, started_after


@pytest.mark.parametrize(
    ("probes", "started", "ready"),
    [
        pytest.param({}, 0, 0, id="no probes"),
        pytest.param({"readinessProbe": {}}, 0, 0, id="the first probe runs at once"),
        pytest.param({"readinessProbe": {"initialDelaySeconds": 10}}, 0, 10, id="a delay on a tick"),
        pytest.param({"readinessProbe": {"initialDelaySeconds": 11}}, 0, 20, id="a delay between ticks"),
        pytest.param({"readinessProbe": {"initialDelaySeconds": 2, "periodSeconds": 5}}, 0, 5, id="a short period"),
        pytest.param({"readinessProbe": {"successThreshold": 3, "periodSeconds": 5}}, 0, 10, id="three in a row"),
        pytest.param({"startupProbe": {"initialDelaySeconds": 7, "periodSeconds": 5}}, 10, 10, id="startup alone"),
        pytest.param(
            {"startupProbe": {"initialDelaySeconds": 7, "periodSeconds": 5}, "readinessProbe": {"periodSeconds": 4}},
            10,
            10,
            id="readiness is asked when startup has succeeded",
        ),
        pytest.param({"readinessProbe": {"periodSeconds": 0, "successThreshold": 0}}, 0, 0, id="zeroes are defaults"),
        pytest.param({"livenessProbe": {"initialDelaySeconds": 60}}, 0, 0, id="liveness does not matter"),
    ],
)
def test_times(probes, started, ready):
    assert (started_after(probes), ready_after(probes)) == (started, ready)


numbers = st.integers(1, 60)


@given(numbers, numbers, numbers)
def test_readiness_falls_on_a_tick_after_the_delay_and_not_later_than_needed(period, delay, threshold):
    probe = {"periodSeconds": period, "initialDelaySeconds": delay, "successThreshold": threshold}
    at = ready_after({"readinessProbe": probe})
    assert at % period == 0
    assert delay + (threshold - 1) * period <= at < delay + threshold * period
