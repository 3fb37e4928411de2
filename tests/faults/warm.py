"""What a driver needs, imported before the fork: its start takes milliseconds then."""

from __future__ import annotations

import httpx
import psycopg
import redis
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite

import switchover.incidents.report
import switchover.incidents.slack
import switchover.incidents.slack_blocks
import switchover.launcher.prefect_api
import tests.faults.crew

__all__ = ["httpx", "psycopg", "redis", "sqlalchemy", "switchover", "tests"]
