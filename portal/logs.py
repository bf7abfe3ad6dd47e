"""What reaches a log: an entry a line, whatever a stranger sent, and no secret in it.

Read by the logging settings and by the web server, so it imports nothing of the site.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from gunicorn.glogging import Logger

_NAMED = (
    r"((?:\w*password\w*|passwd|secret|\w*token|sessionid|authorization|cookie)[\"']?\s*[=:]\s*)"
)
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), masked)
    for pattern, masked in (
        # a token of the API: its first characters name it, the rest opens
        (r"(dly_[0-9a-z]{8})_\w+", r"\1_***"),
        (r"\b(Bearer|Basic)\s+(?!dly_)[\w.~+/=-]+", r"\1 ***"),
        # links that are a key in themselves
        (r"(/account/(?:invitation|confirm-email|password/reset/key)/)[^/\s?#\"']+", r"\1***"),
        (r"(\w://[^:/\s@]*:)[^@\s]+@", r"\1***@"),
        (_NAMED + r"([\"'])(?:(?!\2).)*\2", r"\1\2***\2"),
        (_NAMED + r"(?![\"']|\s*(?:Bearer|Basic)\b)[^\s&;,)}\]]+", r"\1***"),
    )
)
# What moves a terminal's cursor or colours it, ends a line, or turns its direction round.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text in one line, with what is secret masked and what is not to be seen written out."""
    for pattern, masked in _SECRETS:
        text = pattern.sub(masked, text)
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


class Formatter(logging.Formatter):
    """A message is one line. A traceback's lines are set in, so that none passes for an entry."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [clean(self.formatMessage(record))]
        if record.exc_info:
            lines += self._set_in(self.formatException(record.exc_info))
        if record.stack_info:
            lines += self._set_in(self.formatStack(record.stack_info))
        return "\n".join(lines)

    def _set_in(self, text: str) -> list[str]:
        return [f"    {clean(line)}" for line in text.split("\n")]


class ServerLog(Logger):  # type: ignore[misc]
    """Gunicorn's two logs, written as the others are (`--logger-class portal.logs.ServerLog`)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log, form in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(Formatter(form, self.datefmt))
