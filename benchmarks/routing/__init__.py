"""The routing plane beside its peers: `python -m benchmarks.routing`, from an environment of
its own (`make bench-routing`)."""
