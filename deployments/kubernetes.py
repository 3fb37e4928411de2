"""The parts as Kubernetes objects."""

from __future__ import annotations

from typing import Any

from deployments.parts import Part

#: The Secret that holds what only the operator knows; nothing here ever writes it.
SECRET = "switchover"
_SCRATCH = ("/tmp", "/srv/incidents", "/srv/state")


def objects(parts: tuple[Part, ...], *, image: str, namespace: str) -> list[dict[str, Any]]:
    """Deployments, services, the job, a disruption budget and a network policy."""
    made: list[dict[str, Any]] = []
    for part in parts:
        if not part.port:
            made.append(_job(part, image))
            continue
        made += [_deployment(part, image), _service(part)]
        if part.replicas > 1:
            made.append(_budget(part))
    made.append(_policy())
    for made_object in made:
        made_object["metadata"]["namespace"] = namespace
    return made


def _labels(part: Part) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "switchover", "app.kubernetes.io/component": part.name}


def _metadata(part: Part) -> dict[str, Any]:
    return {"name": _name(part), "labels": _labels(part)}


def _name(part: Part) -> str:
    # The server's name is in PREFECT_API_URL, the same for Compose.
    return part.name if part.name == "prefect" else f"switchover-{part.name}"


def _deployment(part: Part, image: str) -> dict[str, Any]:
    strategy = {"type": "Recreate"} if part.replicas == 1 else {"type": "RollingUpdate"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(part),
        "spec": {
            "replicas": part.replicas,
            "strategy": strategy,
            "selector": {"matchLabels": _labels(part)},
            "template": {"metadata": {"labels": _labels(part)}, "spec": _pod(part, image)},
        },
    }


def _job(part: Part, image: str) -> dict[str, Any]:
    pod = {**_pod(part, image), "restartPolicy": "OnFailure"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(part),
        "spec": {
            "backoffLimit": 10,  # it fails until the server answers
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": _labels(part)}, "spec": pod},
        },
    }


def _service(part: Part) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(part),
        "spec": {
            "selector": _labels(part),
            "ports": [{"name": "http", "port": part.port, "targetPort": "http"}],
        },
    }


def _budget(part: Part) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(part),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": _labels(part)}},
    }


def _policy() -> dict[str, Any]:
    """Prefect's API lets one run code on the workers: only parts of Switchover reach it."""
    own = {"app.kubernetes.io/part-of": "switchover"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "switchover-prefect", "labels": own},
        "spec": {
            "podSelector": {"matchLabels": {**own, "app.kubernetes.io/component": "prefect"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": own}}]}],
        },
    }


def _pod(part: Part, image: str) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": part.grace,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(part, image)],
        "volumes": [{"name": _volume(path), "emptyDir": {}} for path in _SCRATCH],
    }


def _container(part: Part, image: str) -> dict[str, Any]:
    memory = f"{part.memory}Mi"
    container: dict[str, Any] = {
        "name": part.name,
        "image": image,
        # `args`, as the image's entry point is an init that passes signals on.
        "args": list(part.command),
        "env": [
            *({"name": name, "value": value} for name, value in part.environment.items()),
            *(_secret(name, optional=False) for name in part.secrets),
            *(_secret(name, optional=True) for name in part.optional),
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": f"{part.memory // 2}Mi"},
            "limits": {"memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": _volume(path), "mountPath": path} for path in _SCRATCH],
    }
    if part.port:
        container["ports"] = [{"name": "http", "containerPort": part.port}]
        container["livenessProbe"] = _probe(part.live, 6)
        container["readinessProbe"] = _probe(part.ready, 3)
        # A Prefect server needs up to half a minute, and longer for its first migrations.
        container["startupProbe"] = _probe(part.live, 30)
    return container


def _probe(path: str, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _secret(name: str, *, optional: bool) -> dict[str, Any]:
    # The server and its clients share one credential, so it is kept once.
    key = "PREFECT_API_AUTH_STRING" if name == "PREFECT_SERVER_API_AUTH_STRING" else name
    source: dict[str, Any] = {"name": SECRET, "key": key}
    if optional:
        source["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": source}}


def _volume(path: str) -> str:
    return path.strip("/").replace("/", "-")
