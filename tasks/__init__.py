"""Retryable units of the flows: each is one call of a use case."""
