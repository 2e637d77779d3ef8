"""What lets a refused request through the next time."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key
from kctl.client.client import WatchEvent
from kctl.runtime.easing import eased
from kctl.runtime.queue import PROGRESS_RETRIES, WorkQueue

PRIORITIES = "priorityclasses.scheduling.k8s.io"
POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io"


def quota(hard, used, **spec):
    meta = {"name": "q", "namespace": "shop"}
    return {"metadata": meta, "spec": spec, "status": {"hard": {"pods": hard}, "used": {"pods": used}}}


def namespace(**labels):
    return {"metadata": {"name": "shop", "labels": labels}}


def limits(**item):
    return {"metadata": {"name": "lr", "namespace": "shop"}, "spec": {"limits": [item]}}


def account(**more):
    return {"metadata": {"name": "runner", "namespace": "shop"}, **more}


def policy(expression, **meta):
    spec = {"validations": [{"expression": expression}]}
    return {"metadata": {"name": "p", **meta}, "spec": spec, "status": meta}


@pytest.mark.parametrize(
    ("event", "where"),
    [
        (WatchEvent("MODIFIED", "resourcequotas", quota("3", "2"), quota("3", "3")), "shop"),
        (WatchEvent("MODIFIED", "resourcequotas", quota("4", "3"), quota("3", "3")), "shop"),
        (WatchEvent("MODIFIED", "resourcequotas", quota("3", "3"), quota("3", "2")), ""),
        (WatchEvent("MODIFIED", "resourcequotas", quota("4", "4"), quota("3", "3")), ""),
        (WatchEvent("MODIFIED", "resourcequotas", {"metadata": quota("1", "1")["metadata"]}, quota("1", "1")), "shop"),
        (WatchEvent("ADDED", "resourcequotas", quota("3", "0"), None), ""),
        (WatchEvent("DELETED", "resourcequotas", quota("3", "3"), quota("3", "3")), "shop"),
        (WatchEvent("MODIFIED", "limitranges", limits(type="Pod"), limits(type="Container")), "shop"),
        (WatchEvent("MODIFIED", "limitranges", limits(type="Pod"), limits(type="Pod")), ""),
        (WatchEvent("ADDED", "limitranges", limits(type="Container"), None), "shop"),
        (WatchEvent("ADDED", "serviceaccounts", account(), None), "shop"),
        (WatchEvent("MODIFIED", "serviceaccounts", account(secrets=[]), account()), ""),
        (WatchEvent("ADDED", PRIORITIES, {"metadata": {"name": "high"}}, None), "*"),
        (WatchEvent("MODIFIED", POLICIES, policy("true"), policy("false")), "*"),
        (WatchEvent("MODIFIED", POLICIES, policy("true", resourceVersion="2"), policy("true")), ""),
        (WatchEvent("DELETED", POLICIES, policy("true"), policy("true")), "*"),
        (WatchEvent("MODIFIED", "namespaces", namespace(a="b"), namespace()), "shop"),
        (WatchEvent("MODIFIED", "namespaces", namespace(), namespace()), ""),
        (WatchEvent("ADDED", "namespaces", namespace(a="b"), None), ""),
    ],
)
def test_what_gives_more_room(event, where):
    ease = eased(event)
    assert (ease.namespace if ease is not None else "") == where


EXCEEDED = "pods is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=2, used: pods=3, limited: pods=3"


@pytest.mark.parametrize(
    ("event", "refusal", "helps"),
    [
        (WatchEvent("MODIFIED", "resourcequotas", quota("4", "3"), quota("3", "3")), EXCEEDED, True),
        (WatchEvent("MODIFIED", "resourcequotas", quota("4", "3"), quota("3", "3")), "quota: other, requested", False),
        (WatchEvent("MODIFIED", "resourcequotas", quota("4", "4.5"), quota("3", "4")), EXCEEDED, False),
        (WatchEvent("DELETED", "resourcequotas", quota("3", "3"), quota("3", "3")), EXCEEDED, True),
        (WatchEvent("ADDED", "serviceaccounts", account(), None), 'serviceaccount "runner" not found', True),
        (WatchEvent("ADDED", "serviceaccounts", account(), None), EXCEEDED, False),
        (
            WatchEvent("ADDED", PRIORITIES, {"metadata": {"name": "high"}}, None),
            "no PriorityClass high was found",
            True,
        ),
        (WatchEvent("MODIFIED", "namespaces", namespace(a="b"), namespace()), "violates PodSecurity", True),
    ],
)
def test_only_what_the_change_may_let_through_is_tried_again(event, refusal, helps):
    ease = eased(event)
    assert ease.helps("shop", refusal) is helps
    assert not ease.helps("elsewhere", refusal) or ease.namespace == "*"


def test_only_failed_keys_of_the_namespace_keep_time_going():
    queue = WorkQueue()
    failed, other, idle = Key("shop", "a"), Key("other", "a"), Key("shop", "b")
    for key in (failed, other):
        for _ in range(PROGRESS_RETRIES + 1):
            queue.fail(key, 0.0)
    queue.wake_at(idle, 5.0, periodic=True)
    assert queue.next_wake(periodic=False) is None
    queue.encourage(lambda key: key.namespace == "shop")
    due = queue.next_wake(periodic=False)
    assert due is not None
    queue.wake(due)
    assert queue.pop() == failed
    queue.fail(failed, due)
    assert queue.next_wake(periodic=False) is None
