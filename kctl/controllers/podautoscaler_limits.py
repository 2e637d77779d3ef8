"""How fast a number of replicas may change: stabilization windows, rates, the range.

In: what the metrics ask for, what was asked and done lately. Out: the number to scale to and the
conditions that say why it is not another. As normalizeDesiredReplicas and
normalizeDesiredReplicasWithBehaviors.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from kctl.api.objects import Obj

DOWNSCALE_WINDOW = 300.0
"""--horizontal-pod-autoscaler-downscale-stabilization"""
IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
READY = ("ReadyForNewScale", "recommended size matches current size")
HELD_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
HELD_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)

Reason = tuple[str, str]


class Memory(NamedTuple):
    """What an autoscaler remembers: when what was recommended, when how many pods came or went.

    Also when it last looked, and what it saw: replicas as asked and as there are, ready pods.
    """

    recommended: tuple[tuple[float, int], ...] = ()
    up: tuple[tuple[float, int], ...] = ()
    down: tuple[tuple[float, int], ...] = ()
    synced: float | None = None
    saw: tuple[int, int, int] | None = None


class Normal(NamedTuple):
    """The number to scale to; why it may differ from what is asked (held), and from what is recommended (limited)."""

    replicas: int
    held: Reason
    limited: Reason
    is_limited: bool
    memory: Memory


def normalize(
    behavior: Obj | None, memory: Memory, now: float, *, current: int, desired: int, least: int, most: int
) -> Normal:
    """Return the number of replicas to scale to now."""
    if behavior is None:
        return _plainly(memory, now, current, desired, least, most)
    return _by_behavior(behavior, memory, now, current, desired, least, most)


def _plainly(memory: Memory, now: float, current: int, desired: int, least: int, most: int) -> Normal:
    """Limit without a behavior, as normalizeDesiredReplicas."""
    lately = [count for at, count in memory.recommended if at > now - DOWNSCALE_WINDOW]
    stable = max([desired, *lately])
    limit = max(2 * current, 4)
    highest, reason = (limit, TOO_FAST_UP) if most > limit else (most, TOO_MANY)
    if stable < least:
        replicas, reason = least, TOO_FEW
    elif stable > highest:
        replicas = highest
    else:
        replicas, reason = stable, IN_RANGE
    kept = _kept(memory, now, DOWNSCALE_WINDOW, desired)
    return Normal(replicas, READY if stable == desired else HELD_DOWN, reason, replicas != stable, kept)


def _kept(memory: Memory, now: float, window: float, desired: int) -> Memory:
    """Return the memory with a recommendation more, and without those that no window holds any more."""
    lately = tuple(one for one in memory.recommended if one[0] > now - window)
    return memory._replace(recommended=(*lately, (now, desired)))


def _by_behavior(
    behavior: Obj, memory: Memory, now: float, current: int, desired: int, least: int, most: int
) -> Normal:
    """Limit by a behavior, as normalizeDesiredReplicasWithBehaviors."""
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    up_window = float(up.get("stabilizationWindowSeconds") or 0)
    given = down.get("stabilizationWindowSeconds")
    down_window = DOWNSCALE_WINDOW if given is None else float(given)
    lowest = min([desired, *(count for at, count in memory.recommended if at > now - up_window)])
    highest = max([desired, *(count for at, count in memory.recommended if at > now - down_window)])
    stable = min(max(current, lowest), highest)
    held = READY if stable == desired else HELD_UP if desired >= current else HELD_DOWN
    replicas, limited = _rated(up, down, memory, now, current, stable, least, most)
    kept = _kept(memory, now, max(up_window, down_window), desired)
    return Normal(replicas, held, limited, replicas != stable, kept)


def _rated(
    up: Obj, down: Obj, memory: Memory, now: float, current: int, desired: int, least: int, most: int
) -> tuple[int, Reason]:
    """Limit the rate, as convertDesiredReplicasWithBehaviorRate."""
    if desired > current:
        limit = max(_fastest_up(up, memory, now, current), current)
        highest, reason = (limit, TOO_FAST_UP) if most > limit else (most, TOO_MANY)
        if desired > highest:
            return highest, reason
    elif desired < current:
        limit = min(_fastest_down(down, memory, now, current), current)
        lowest, reason = (limit, TOO_FAST_DOWN) if least < limit else (least, TOO_FEW)
        if desired < lowest:
            return lowest, reason
    return desired, IN_RANGE


def _fastest_up(rules: Obj, memory: Memory, now: float, current: int) -> int:
    """Return the most replicas the policies allow, as calculateScaleUpLimitWithScalingRules."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    proposed = []
    for policy in rules.get("policies") or ():
        start = _at_start(policy, memory, now, current)
        value = policy["value"]
        proposed.append(start + value if policy["type"] == "Pods" else ceil(start * (1 + value / 100)))
    choose = min if rules.get("selectPolicy") == "Min" else max
    return choose(proposed, default=current)


def _fastest_down(rules: Obj, memory: Memory, now: float, current: int) -> int:
    """Return the fewest replicas the policies allow, as calculateScaleDownLimitWithBehaviors."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    proposed = []
    for policy in rules.get("policies") or ():
        start = _at_start(policy, memory, now, current)
        value = policy["value"]
        proposed.append(start - value if policy["type"] == "Pods" else int(start * (1 - value / 100)))
    choose = max if rules.get("selectPolicy") == "Min" else min
    return choose(proposed, default=current)


def _at_start(policy: Obj, memory: Memory, now: float, current: int) -> int:
    """Return how many replicas there were when the policy's period began."""
    since = now - policy["periodSeconds"]
    added = sum(count for at, count in memory.up if at > since)
    removed = sum(count for at, count in memory.down if at > since)
    return current - added + removed


def with_scaling(memory: Memory, behavior: Obj | None, now: float, before: int, after: int) -> Memory:
    """Return the memory with a change of size, as storeScaleEvent; only behaviors ask for that."""
    if behavior is None:
        return memory
    field, name = ("up", "scaleUp") if after > before else ("down", "scaleDown")
    periods = [policy["periodSeconds"] for policy in (behavior.get(name) or {}).get("policies") or ()]
    since = now - max(periods, default=0)
    known: tuple[tuple[float, int], ...] = memory.up if field == "up" else memory.down
    lately = tuple(one for one in known if one[0] > since)
    change = (*lately, (now, abs(after - before)))
    return memory._replace(up=change) if field == "up" else memory._replace(down=change)
