"""OpenFeature: the flags of a migration through the standard API (T12).

    from openfeature import api
    from switchover import Router
    from switchover.routing.openfeature import SwitchoverProvider

    api.set_provider(SwitchoverProvider(Router("mood")))

Needs the extra ``openfeature``; nothing else in Switchover imports it.
"""

from __future__ import annotations

try:
    import openfeature.provider  # noqa: F401  # asked here, so that the advice is given at once
except ImportError as error:
    raise ImportError(
        "the OpenFeature SDK is not installed; install switchover[openfeature]", name=error.name
    ) from error

from switchover.routing.openfeature.provider import SwitchoverProvider

__all__ = ["SwitchoverProvider"]
