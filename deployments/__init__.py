"""Deployment manifests: `python -m deployments compose|kubernetes` prints them."""
