"""Prefect flows, one file per phase: sequence, branching and concurrency only."""
