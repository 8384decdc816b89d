"""Who may speak to whom: the arrows that the NetworkPolicies leave, all of them."""

from __future__ import annotations

from typing import Any

from tests.support.charts import PRODUCTION, Object, Rendered, render

MODELS = ("prompt-enhancer", "generator", "super-resolver")
COMPONENT = "app.kubernetes.io/component"
Arrow = tuple[str, str, int]


def policies(rendered: Rendered) -> list[tuple[str, Any]]:
    found = [p["spec"] for p in rendered.of("NetworkPolicy").values()]
    return [(p["podSelector"]["matchLabels"].get(COMPONENT, "*"), p) for p in found]


def arrows(rendered: Rendered, direction: str) -> set[Arrow]:
    """(from, to, port); ``*`` is anybody, ``monitoring`` and ``dns`` are other namespaces."""
    found: set[Arrow] = set()
    side = "from" if direction == "ingress" else "to"
    for component, policy in policies(rendered):
        for rule in policy.get(direction, ()):
            for peer in rule.get(side, [{}]):
                for port in rule["ports"]:
                    pair = (name_of(peer), component)
                    ends = pair if direction == "ingress" else pair[::-1]
                    found.add((*ends, port["port"]))
    return found


def name_of(peer: Object) -> str:
    if "ipBlock" in peer:
        return "web"
    if "namespaceSelector" in peer:
        name: str = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        return name
    return str(peer["podSelector"]["matchLabels"][COMPONENT]) if peer else "*"


def test_everything_else_is_closed() -> None:
    rendered = render(PRODUCTION)
    pods = [pod["metadata"]["labels"] for pod in rendered.pods().values()]
    (closed,) = [spec for component, spec in policies(rendered) if component == "*"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed
    for labels in pods:
        assert closed["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_arrows_into_each_part() -> None:
    into = arrows(render(PRODUCTION), "ingress")
    expected = {("*", "gateway", 7070), ("*", "gateway", 7080)}
    expected |= {(caller, model, 7070) for caller in ("gateway", "worker") for model in MODELS}
    expected |= {("monitoring", part, 9090) for part in ("gateway", "worker", *MODELS)}
    assert into == expected


def test_the_arrows_out_of_each_part() -> None:
    out = arrows(render(PRODUCTION), "egress")
    expected = {("*", "kube-system", 53)}
    expected |= {(caller, model, 7070) for caller in ("gateway", "worker") for model in MODELS}
    databases = ("gateway", "worker", "migrations", "preflight")
    expected |= {(part, "*", 5432) for part in databases}
    expected |= {(part, "*", 6379) for part in ("worker", "preflight")}
    expected |= {(part, "*", 443) for part in ("gateway", "worker", "preflight", *MODELS)}
    assert out == expected


def test_within_the_release_both_ends_say_the_same() -> None:
    rendered = render(dev=True)
    inside = {c for c, _ in policies(rendered)} - {"*"}

    def both(found: set[Arrow]) -> set[Arrow]:
        return {a for a in found if a[0] in inside and a[1] in inside}

    assert both(arrows(rendered, "ingress")) == both(arrows(rendered, "egress"))
    assert ("worker", "dev-redis", 6379) in arrows(rendered, "ingress")
    assert ("generator", "dev-postgresql", 5432) not in arrows(rendered, "ingress")


def test_webhooks_reach_the_web_and_no_private_address() -> None:
    rendered = render(PRODUCTION, {"gateway": {"signingKey": {"existingSecret": "signing"}}})
    assert ("gateway", "web", 443) in arrows(rendered, "egress")
    rules = rendered.one("NetworkPolicy", "r-omnireel-gateway")["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule.get("to", ()) if "ipBlock" in peer]
    assert "10.0.0.0/8" in blocks[0]["except"]


def test_peers_that_are_named_close_the_rest() -> None:
    peers = [{"ipBlock": {"cidr": "10.9.0.0/24"}}]
    callers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    values = {
        "database": {"peers": peers, "port": 6432},
        "gateway": {"callers": callers},
        "networkPolicies": {"otlpPort": 4317},
    }
    rendered = render(PRODUCTION, values)
    assert ("worker", "web", 6432) in arrows(rendered, "egress")
    assert ("generator", "*", 4317) in arrows(rendered, "egress")
    into = arrows(rendered, "ingress")
    assert ("ingress", "gateway", 7070) in into
    assert ("*", "gateway", 7070) not in into


def test_they_can_be_left_to_somebody_else() -> None:
    assert not render(PRODUCTION, {"networkPolicies": {"enabled": False}}).of("NetworkPolicy")
