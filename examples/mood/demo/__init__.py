"""The demonstration: one migration that succeeds and one that rolls back by itself."""
