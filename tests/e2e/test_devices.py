"""The sample of GPUs: what stands in the way of the last pod, and that one more node lets it in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def test_the_pod_that_waits_for_gpus_is_explained_and_one_more_node_lets_it_in(kctl: Any, samples: Path) -> None:
    shutil.copytree(samples / "gpus", kctl.folder, dirs_exist_ok=True)
    kctl("apply", "-f", ".", code=3)
    why = kctl("why", "deploy/training").out
    assert "cannot allocate all claims: 2 of class gpu.example.com wanted, 0 of 4 free" in why
    assert "cannot allocate all claims: none of class gpu.example.com" in why
    assert "fits with one more node like gpu-1" in why
    shape = kctl.folder / "kctl.yaml"
    shape.write_text(shape.read_text(encoding="utf-8").replace("name: gpu\n    count: 1", "name: gpu\n    count: 2"))
    plan = kctl("plan", "-f", ".").out
    assert "+1 node: gpu-2" in plan
    assert "Residual" not in plan
    assert "Converged" in kctl("apply", "-f", ".").out
    kctl.fixed_point()
    claims = kctl("get", "resourceclaims", "--no-headers").out.splitlines()
    assert len(claims) == 4
    assert all("allocated,reserved" in line for line in claims)
