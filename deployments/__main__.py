"""Print the manifests: `python -m deployments kubernetes --image IMAGE > switchover.yaml`."""

from __future__ import annotations

import argparse
import sys

from ruamel.yaml import YAML

from deployments.compose import document
from deployments.kubernetes import objects
from deployments.parts import parts


def main(arguments: list[str] | None = None) -> int:
    """Write YAML to standard output."""
    parser = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    parser.add_argument("target", choices=["compose", "kubernetes"], help="what to print")
    parser.add_argument("--image", required=True, help="image built from deployments/Dockerfile")
    parser.add_argument("--namespace", default="switchover", help="of Kubernetes")
    parser.add_argument("--workers", type=int, default=2, help="process workers (default: 2)")
    given = parser.parse_args(arguments)
    if given.workers < 1:
        parser.error("--workers is 1 at least: without a worker no flow ever runs")
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 1000
    wanted = parts(given.workers)
    if given.target == "compose":
        yaml.dump(document(wanted, image=given.image), sys.stdout)
    else:
        made = objects(wanted, image=given.image, namespace=given.namespace)
        yaml.explicit_start = True  # type: ignore[assignment]
        yaml.dump_all(made, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
