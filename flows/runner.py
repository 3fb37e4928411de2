"""Where the tasks of a flow run: in threads of its process, or on a Dask cluster (P10)."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner

from switchover.errors import InputError
from switchover.wiring import Settings, load_settings

#: A local cluster: two processes, which a replay keeps busy while the flow's own one waits.
LOCAL = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1",
         "dashboard_address": None}  # fmt: skip


def task_runner(settings: Settings | None = None) -> TaskRunner[Any] | None:
    """What ``SWITCHOVER_TASK_RUNNER`` names; None is Prefect's own thread pool.

    With ``dask`` the cluster is started, or ``SWITCHOVER_DASK_ADDRESS`` connected to, when the
    first task is submitted: a run with nothing to do pays nothing. Raises ``InputError`` for any
    other name, and where the extra ``dask`` is not installed.
    """
    settings = settings or load_settings()
    if settings.task_runner == "threads":
        return None
    if settings.task_runner != "dask":
        raise InputError(
            f"SWITCHOVER_TASK_RUNNER is {settings.task_runner!r}; set it to threads or dask"
        )
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise InputError(
            "SWITCHOVER_TASK_RUNNER is dask, which is not installed here; "
            "run: pip install 'switchover[dask]'"
        ) from error
    if settings.dask_address:
        return DaskTaskRunner(address=settings.dask_address)
    return DaskTaskRunner(cluster_kwargs=dict(LOCAL))
