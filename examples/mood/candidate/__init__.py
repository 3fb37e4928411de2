"""Mood detector v0.3.0: the current state beside the forecast."""
