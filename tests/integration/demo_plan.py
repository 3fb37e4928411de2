"""What the plans of the migration ``demo`` have in common; each file that uses it adds the rest."""

from __future__ import annotations

DEMO = """\
switchover: 1
migration: demo
title: The demonstration
systems:
  legacy: {version: "1", url: "http://127.0.0.1:9", health: /health}
  candidate: {version: "2", url: "http://127.0.0.1:10", health: /health}
request_key: {field: id, kind: string}
checks:
  - {name: up, kind: health, system: candidate}
judgement: {look_every: 1ms}
stages:
  - {kind: checks}
  - {kind: canary, percent: 10, bake: 1ms}
  - {kind: canary, percent: 100, bake: 1ms}
"""
#: The same, where people approve the last step.
ASKING = DEMO.replace("percent: 100, bake: 1ms", "percent: 100, bake: 1ms, approval: true")
