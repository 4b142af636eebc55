"""Write the log: one JSON object a line, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timezone

_log = logging.getLogger("clipcond.service")
FIELDS = "fields"  # of a record: what its line has besides


class JsonLines(logging.Formatter):
    """Format records as JSON objects of one line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level and message, and the record's own fields."""
        when = datetime.fromtimestamp(record.created, timezone.utc)
        found: dict[str, object] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        found |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[0] is not None:
            # an error's text may quote a prompt
            found["error"] = record.exc_info[0].__name__
        return json.dumps(found, default=str)


def start_log() -> None:
    """Let this service and its server log to standard error, and nothing else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("clipcond.service", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.raiseExceptions = False  # a full disk behind the log is no reason to fail


def log_event(message: str, fields: Mapping[str, object]) -> None:
    """Write a line with these fields."""
    _log.info(message, extra={FIELDS: fields})
