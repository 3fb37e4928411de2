"""Contracts of a service's consumers: adapters, JSON Schemas, recorded answers, validation."""
