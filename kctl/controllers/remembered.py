"""What was made of the pods of a Service, for as long as neither has changed.

In: a rule that makes something of a Service and one of its pods. Out: the same rule, which is asked
again only about pods that changed: a Service of a thousand pods of which one becomes ready is looked at
in the time it takes to see that the others are the same objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from kctl.api.objects import Key, Obj

T = TypeVar("T")
Rule = Callable[[Obj, Obj, str], T]
"""Takes a Service, a pod and the zone of its node."""


class Remembered(Generic[T]):
    """Answers of a rule, by Service and pod; those about pods that were not asked about again are forgotten."""

    def __init__(self, rule: Rule[T]) -> None:
        self._rule = rule
        self._known: dict[Key, dict[str, tuple[Obj, Obj, str, T]]] = {}

    def of(self, key: Key) -> Rule[T]:
        """Return the rule for one look at a Service."""
        known = self._known.get(key, {})
        fresh: dict[str, tuple[Obj, Obj, str, T]] = {}

        def ask(service: Obj, pod: Obj, zone: str) -> T:
            uid = pod["metadata"]["uid"]
            if not fresh:  # not before: a look that asks nothing forgets nothing
                self._known[key] = fresh
            entry = known.get(uid)
            if entry is None or entry[0] is not pod or entry[1] is not service["spec"] or entry[2] != zone:
                entry = (pod, service["spec"], zone, self._rule(service, pod, zone))
            fresh[uid] = entry
            return entry[3]

        return ask

    def forget(self, key: Key) -> None:
        """Forget a Service that is gone."""
        self._known.pop(key, None)
