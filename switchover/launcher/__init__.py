"""Starting and resuming flow runs through Prefect's REST API, without importing Prefect."""
