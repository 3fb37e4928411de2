"""The HTTP API: people's questions and decisions, Slack's buttons, health for the platform."""
