"""Rollbacks as people meet them: the incident record, its report, and Slack."""
