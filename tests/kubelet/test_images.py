"""Image references as kubelet reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.kubelet.images import duration, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.29", "docker.io/library/nginx:1.29"),
        ("bitnami/redis:8", "docker.io/bitnami/redis:8"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("gcr.io/google-samples/microservices-demo/adservice:v0.10.2",) * 2,
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("quay.io/a/b__c-d.e:V1_x", "quay.io/a/b__c-d.e:V1_x"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}"),
    ],
)
def test_references_are_completed(text, name):
    assert parse(text).name == name


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"),
        ("quay.io/A/b:1", "invalid reference format: repository name (A/b) must be lowercase"),
        ("", "invalid reference format"),
        (":1", "invalid reference format"),
        ("nginx:", "invalid reference format"),
        ("nginx:a b", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("nginx\n", "invalid reference format"),
        ("http://x/y", "invalid reference format"),
        ("nginx@sha256:12", "invalid reference format"),
        ("a" * 64, f"invalid repository name ({'a' * 64}), cannot specify 64-byte hexadecimal strings"),
        ("x/" + "a" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_references_that_are_none_are_refused(text, error):
    assert parse(text).error == error


def test_a_digest_is_the_images_identity_and_a_name_has_one():
    assert parse(f"nginx:1@{DIGEST}").id == f"docker.io/library/nginx@{DIGEST}"
    assert parse("nginx").id == parse("docker.io/library/nginx:latest").id


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    image = parse(text)
    assert bool(image.error) != bool(image.name and image.id)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (2, "2s"), (1.5, "1.5s"), (65, "1m5s"), (3600, "1h0m0s")])
def test_durations_are_written_as_go_does(seconds, text):
    assert duration(seconds) == text
