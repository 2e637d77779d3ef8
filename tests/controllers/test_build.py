"""The registry of controllers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kctl.controllers import ALL, build


def test_every_controller_carries_the_name_it_is_registered_under():
    assert [controller.name for controller in build()] == list(ALL)


def test_only_the_named_controllers_are_made_in_order_of_level():
    made = build(["deployment-controller", "kube-scheduler", "serviceaccount-controller"])
    assert [controller.name for controller in made] == ["serviceaccount-controller", "deployment-controller"]
    assert [c.level for c in build()] == sorted(c.level for c in build())


def test_a_controller_nobody_asks_for_is_not_imported():
    code = "import sys; from kctl.controllers import build; build(['serviceaccount-controller']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "kctl.controllers.serviceaccount" in loaded
    assert "kctl.controllers.deployment" not in loaded


@pytest.mark.parametrize("controller", build(), ids=lambda c: c.name)
def test_every_controller_says_who_it_is_and_what_it_writes(controller):
    is_root = controller.name == "serviceaccount-token-controller"  # as upstream, where it comes before all accounts
    assert is_root or controller.user.startswith("system:serviceaccount:kube-system:")
    assert controller.watches
    assert controller.writes
