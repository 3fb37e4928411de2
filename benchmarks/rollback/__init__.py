"""Rollback, measured: through routers, through HAProxy, and beside a restart."""
