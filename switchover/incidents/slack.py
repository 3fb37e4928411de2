"""Slack as a pager: every message carries its key, so that none is posted twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any

from switchover.clock import Clock, SystemClock
from switchover.errors import DependencyUnavailable, InputError
from switchover.incidents.redaction import redact
from switchover.incidents.slack_limits import MAX_TEXT, clip, fit

_LOG = logging.getLogger(__name__)
_EVENT = "switchover"
#: How far back a key is looked for, in seconds; effects are retried for hours, not days.
_LOOK_BACK = 2 * 86_400.0
_PAGE, _PAGES = 200, 10
#: Answers that another attempt may change.
_TRANSIENT = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
     "request_timeout", "team_added_to_org"}
)  # fmt: skip
_ADVICE = {
    "invalid_auth": "check SWITCHOVER_SLACK_TOKEN",
    "not_authed": "set SWITCHOVER_SLACK_TOKEN",
    "token_revoked": "make a new token and set SWITCHOVER_SLACK_TOKEN",
    "token_expired": "make a new token and set SWITCHOVER_SLACK_TOKEN",
    "account_inactive": "make a new token and set SWITCHOVER_SLACK_TOKEN",
    "channel_not_found": "name a channel that exists, or its id (C…), and invite the app to it",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "name a channel that is not archived",
}


class SlackPager:
    """The `Pager` port over Slack's Web API.

    The token needs the scopes ``chat:write``, ``channels:history`` and ``channels:read``
    (``groups:…`` for private channels). ``base_url`` is for a stand-in. Raises
    ``DependencyUnavailable`` for what may pass (its ``retry_after`` is Slack's wish, in
    seconds), ``InputError`` for what a person has to mend.
    """

    def __init__(
        self,
        token: str,
        base_url: str | None = None,
        *,
        timeout: int = 10,
        clock: Clock | None = None,
    ) -> None:
        if not token:
            raise InputError("no Slack token; set SWITCHOVER_SLACK_TOKEN to the app's bot token")
        self._token, self._base_url, self._timeout = token, base_url, timeout
        self._clock = clock or SystemClock()
        self._client: Any = None
        self._channels: dict[str, str] = {}

    def post(
        self,
        key: str,
        channel: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        thread: str | None = None,
    ) -> str:
        """Send, unless a message with this key is there already; returns the thread to reply to."""
        channel_id = self._channel_id(channel)
        found = self._find(key, channel_id, thread)
        if found is not None:
            return thread or found
        arguments: dict[str, Any] = {
            "channel": channel_id,
            "text": clip(self._redact(text), MAX_TEXT),
            "metadata": {"event_type": _EVENT, "event_payload": {"key": key}},
            "unfurl_links": False,
        }
        if blocks:
            arguments["blocks"] = fit(blocks)
        if thread is not None:
            arguments["thread_ts"] = thread
        answer = self._call(self.client.chat_postMessage, **arguments)
        return thread or str(answer["ts"])

    def update(
        self, channel: str, thread: str, text: str, blocks: Sequence[Mapping[str, Any]]
    ) -> None:
        """Replace a message that was sent before; the same again changes nothing."""
        self._call(
            self.client.chat_update,
            channel=self._channel_id(channel),
            ts=thread,
            text=clip(self._redact(text), MAX_TEXT),
            blocks=fit(blocks),
        )

    def check(self) -> str:
        """The name the token speaks as; raises as `post` does."""
        answer = self._call(self.client.auth_test)
        return str(answer["user"])

    @property
    def client(self) -> Any:
        """The SDK's client, made when first needed: importing it costs a person's patience."""
        if self._client is None:
            from slack_sdk import WebClient

            options: dict[str, Any] = {"base_url": self._base_url} if self._base_url else {}
            log = logging.getLogger("switchover.incidents.slack.sdk")
            log.setLevel(logging.CRITICAL)  # what it logs is raised as well, with advice
            # No retries inside: a post whose answer got lost must be looked up, not repeated.
            self._client = WebClient(
                self._token, timeout=self._timeout, retry_handlers=[], logger=log, **options
            )
        return self._client

    def _redact(self, text: str) -> str:
        return redact(text.replace(self._token, "[redacted]"))

    def _channel_id(self, channel: str) -> str:
        """Histories are read by id only, while plans name channels."""
        if not channel.startswith("#"):
            return channel
        if channel not in self._channels:
            self._channels[channel] = self._look_up(channel.removeprefix("#"))
        return self._channels[channel]

    def _look_up(self, name: str) -> str:
        for kind in ("public_channel", "private_channel"):
            try:
                for page in self._pages(
                    self.client.conversations_list, types=kind, exclude_archived=True, limit=1000
                ):
                    for found in page["channels"]:
                        if found["name"] == name:
                            return str(found["id"])
            except InputError as error:
                # A token for public channels only is fine; then a private one is not found.
                if kind == "public_channel" or "missing_scope" not in str(error):
                    raise
        raise InputError(f"Slack has no channel #{name}; {_ADVICE['channel_not_found']}")

    def _find(self, key: str, channel: str, thread: str | None) -> str | None:
        oldest = f"{self._clock.now().timestamp() - _LOOK_BACK:.6f}"
        arguments: dict[str, Any] = {
            "channel": channel, "include_all_metadata": True, "limit": _PAGE, "oldest": oldest,
        }  # fmt: skip
        method = self.client.conversations_history
        if thread is not None:  # a channel's history shows no replies
            method, arguments["ts"] = self.client.conversations_replies, thread
        for number, page in enumerate(self._pages(method, **arguments), 1):
            for message in page["messages"]:
                metadata = message.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == _EVENT and payload.get("key") == key:
                    return str(message["ts"])
            if number == _PAGES:
                _LOG.warning(
                    "the newest %d messages of Slack's channel %s do not have %s, and no more are "
                    "looked through: should it stand before them, it is there twice now",
                    _PAGES * _PAGE, channel, key,
                )  # fmt: skip
                break
        return None

    def _pages(self, method: Callable[..., Any], **arguments: Any) -> Any:
        cursor = ""
        while True:
            page = self._call(method, **arguments, **({"cursor": cursor} if cursor else {}))
            yield page
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            return method(**arguments)
        except SlackApiError as error:
            raise self._translated(error) from error
        except (OSError, HTTPException) as error:
            raise DependencyUnavailable(
                "Slack", f"{self._redact(str(error))}; the message is sent when it is back"
            ) from error
        except (SlackClientError, ValueError) as error:
            raise InputError(f"Slack can't be called: {self._redact(str(error))}") from error

    def _translated(self, error: Any) -> Exception:
        answer = error.response
        status = int(answer.status_code)
        data = answer.data if isinstance(answer.data, Mapping) else {}
        code = str(data.get("error") or f"HTTP {status}")
        if status == 429 or status >= 500 or code in _TRANSIENT:
            headers = {str(name).lower(): value for name, value in answer.headers.items()}
            wait = str(headers.get("retry-after", ""))
            after = float(wait) if wait.isdigit() else None
            when = f"; it asks to wait {after:g} s" if after is not None else ""
            return DependencyUnavailable("Slack", self._redact(code[:200]) + when, after)
        advice = _ADVICE.get(code, "see Slack's documentation of this error")
        if code == "missing_scope":
            advice = f"give the app the scope {data.get('needed', '')} and install it again"
        return InputError(f"Slack refused: {self._redact(code[:200])}; {advice}")
