"""What the service says about itself: logs as lines of JSON, and Prometheus metrics.

A line names the route and never the address that was asked for, which may hold an ID; no client, no picture, no key.
"""

import json
import logging
import re
import secrets
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watermark.service.pool import Pool

log = logging.getLogger("watermark.service.requests")
REQUEST_ID = re.compile(r"[0-9a-f]{32}")
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class JsonLines(logging.Formatter):
    """One JSON object a line; of an exception its kind and place, not its text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith("watermark") else record.name,
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0]:
            places = traceback.extract_tb(record.exc_info[2])
            line |= {"kind": record.exc_info[0].__name__, "place": f"{places[-1].filename}:{places[-1].lineno}"}
        return json.dumps(line)


def log_to_stderr() -> None:
    """Replace whatever logged so far."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("watermark.service").setLevel(logging.INFO)


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self, pool: Pool) -> None:
        self.registry = CollectorRegistry()
        names: Any = {"registry": self.registry}
        self.requests = Counter("watermark_requests", "Answers", ["route", "status"], **names)
        self.answers = Counter("watermark_answers", "Pictures looked at", ["kind", "answer"], **names)
        self.seconds = Histogram(
            "watermark_request_seconds", "From request to answer", ["route"], buckets=SECONDS, **names
        )
        self.work = Histogram("watermark_work_seconds", "Of a worker on one picture", buckets=SECONDS, **names)
        for name, text, value in (
            ("workers_ready", "Worker processes that are alive", lambda: pool.ready),
            ("waiting", "Pictures that wait for a worker", lambda: pool.waiting),
            ("working", "Pictures in work", lambda: pool.working),
            ("workers_started", "Worker processes started so far", lambda: pool.counts.started),
            ("timed_out", "Pictures that took too long so far", lambda: pool.counts.timed_out),
            ("workers_lost", "Workers that ended under a picture so far", lambda: pool.counts.lost),
        ):
            Gauge(f"watermark_{name}", text, **names).set_function(value)


class Watch:
    """Around the application: a request ID, headers, a line in the log, and the metrics.

    Args:
        app: what is watched.
        metrics: where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, number = time.perf_counter(), 500, secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = number

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = {**HEADERS, "X-Request-ID": number}
                held = {name for name, _ in message["headers"]}
                message["headers"] += [
                    (name.lower().encode(), value.encode())
                    for name, value in extra.items()
                    if name.lower().encode() not in held
                ]
            await send(message)

        try:
            await self.app(scope, receive, told)
        except Exception:  # Starlette has answered 500 and passes it on for the log
            log.exception("unexpected")
        finally:
            seconds, route = time.perf_counter() - began, getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            fields = {"request": number, "method": scope["method"], "route": route, "status": status}
            log.info("request", extra={"fields": {**fields, "milliseconds": round(seconds * 1000, 1)}})
