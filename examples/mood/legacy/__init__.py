"""Mood detector v0.2.0: one risk score for the next 24 hours."""
