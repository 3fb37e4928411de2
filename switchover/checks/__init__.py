"""Development-phase checks of both systems: one file per kind."""
