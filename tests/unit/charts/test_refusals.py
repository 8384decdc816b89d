"""A wrong value gives one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chart_texts import evaluated
from tests.support.charts import PRODUCTION, HelmRefused, Object, render

HOSTS = {"host": "a.example.com", "grpcHost": "a.example.com"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicas": 2}, "Additional property replicas is not allowed"),
        ({"gateway": {"replica": 2}}, "gateway: Additional property replica is not allowed"),
        (
            {"gateway": {"settings": {"max_queued_job": 2}}},
            "gateway.settings: Additional property max_queued_job is not allowed",
        ),
        (
            {"gateway": {"settings": {"database_url": "x"}}},
            "gateway.settings: Additional property database_url is not allowed",
        ),
        (
            {"gateway": {"settings": {"first_key": "print"}}},
            "gateway.settings: Additional property first_key is not allowed",
        ),
        (
            {"gateway": {"settings": {"max_queued_jobs": 0}}},
            "gateway.settings.max_queued_jobs: Must be greater than or equal to 1",
        ),
        ({"worker": {"slots": "two"}}, "worker.slots: Invalid type. Expected: integer"),
        ({"weights": {"source": "ftp"}}, "weights.source must be one of the following"),
        ({"store": {"url": "https://host/bucket"}}, "store.url: Does not match pattern"),
        ({"store": {"url": "s3://key:secret@host"}}, "store.url: Does not match pattern"),
        ({"database": {"port": 70000}}, "database.port: Must be less than or equal to 65535"),
        ({"worker": {"safety": ""}}, "worker.safety is not set: name the classifier"),
        ({"database": {"existingSecret": ""}}, "database.existingSecret is not set"),
        ({"store": {"url": ""}}, "store.url is not set"),
        ({"weights": {"source": "pvc"}}, "weights.pvc.claimName is not set"),
        ({"tls": {"gateway": {"mode": "secret"}}}, "tls.gateway.secret is not set"),
        ({"tls": {"services": {"mode": "certManager"}}}, "tls.services.issuerRef.name is not set"),
        ({"routes": {"ingress": {"enabled": True}}}, "routes.ingress.host and"),
        ({"routes": {"ingress": {"enabled": True, **HOSTS}}}, "need names of their own"),
        (
            {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}},
            "autoscaling.minReplicas is 5 and maxReplicas 2",
        ),
        ({"dev": {"enabled": True}}, "dev.password is not set"),
        ({"worker": {"image": {"tag": "7"}}}, "worker.image.repository is not set"),
        ({"gateway": {"service": {"httpPort": 7070}}}, "grpcPort and httpPort are both 7070"),
        ({"gateway": {"signingKey": None}}, "gateway: signingKey is required"),
        ({"generator": {"startupSeconds": 0}}, "generator.startupSeconds: Must be greater"),
        ({"database": {"port": 0}}, "database.port: Must be greater"),
        ({"gateway": {"env": [{"value": "a"}]}}, "gateway.env.0: name is required"),
        (
            {"generator": {"env": [{"name": "AWS_ACCESS_KEY_ID", "value": "a"}]}},
            "generator.env sets AWS_ACCESS_KEY_ID, which the chart sets already",
        ),
        (
            {"trust": {"configMap": "ca"}, "worker": {"env": [{"name": "SSL_CERT_FILE"}]}},
            "worker.env sets SSL_CERT_FILE, which the chart sets already: leave one of them out",
        ),
        (
            {"gateway": {"env": [{"name": "A"}, {"name": "A"}]}},
            "gateway.env sets A, which gateway.env itself sets already",
        ),
    ],
)
def test_a_wrong_value_is_named(values: Object, sentence: str) -> None:
    with pytest.raises(HelmRefused) as refusal:
        render(PRODUCTION, values)
    assert sentence in str(refusal.value)


def test_the_bare_chart_says_what_is_missing() -> None:
    with pytest.raises(HelmRefused, match=r"worker\.safety is not set"):
        render()


IMAGE = {"weights": {"source": "image", "image": {"reference": "registry/weights:7"}}}
VERSION = '{{ include "omnireel.validateVersion" . }}'


def test_weights_as_an_image_need_a_cluster_that_mounts_images(tmp_path: Path) -> None:
    with pytest.raises(HelmRefused, match=r"needs Kubernetes 1\.35 or newer, .* is v1\.34\.2"):
        evaluated(VERSION, tmp_path / "old", PRODUCTION, IMAGE, kubernetes="v1.34.2")


@pytest.mark.parametrize(
    ("values", "kubernetes"),
    [(IMAGE, "v1.35.0"), (IMAGE, "v1.36.1-gke.100"), ({}, "v1.34.2")],
)
def test_other_clusters_and_weights_are_left_alone(
    tmp_path: Path, values: Object, kubernetes: str
) -> None:
    assert evaluated(VERSION, tmp_path, PRODUCTION, values, kubernetes=kubernetes).strip() == ""
