"""What became of every call: the four signals, each made to happen against a sandbox."""

from __future__ import annotations

from cio_events import Call, Pipeline, Report, Retry, Track, signals
from cio_events.sandbox import Sandbox


def on_sent(pipeline: Pipeline, report: Report) -> None:
    """Count, measure, mark as done."""
    print(f"sent      {report.call} after {report.attempts} requests")


def on_failed(pipeline: Pipeline, report: Report) -> None:
    """Tell somebody: this call will not arrive, and `detail` says why."""
    print(f"failed    {report.call} as {report.reason}: {report.detail}")


def on_dropped(pipeline: Pipeline, report: Report) -> None:
    """Notice what was given up without asking Customer.io."""
    print(f"dropped   {report.call} as {report.reason}")


def on_retrying(pipeline: Pipeline, retry: Retry) -> None:
    """Notice that Customer.io is away: nothing is lost yet."""
    print(f"retrying  {retry.calls} calls ({retry.reason}, status {retry.status})")


def without_internals(call: Call) -> Call | None:
    """Keep our own staff's events to ourselves."""
    return None if isinstance(call, Track) and call.data.get("staff") else call


def main() -> None:
    """Make all four happen."""
    # blinker holds receivers weakly: functions of a module stay, a lambda would be gone at once.
    signals.sent.connect(on_sent)
    signals.failed.connect(on_failed)
    signals.dropped.connect(on_dropped)
    signals.retrying.connect(on_retrying)

    with (
        Sandbox() as sandbox,
        Pipeline(
            site_id="any",
            api_key="any",
            track_url=sandbox.url,
            before_send=without_internals,
            retry_base=0.1,
        ) as pipeline,
    ):
        sandbox.fail_next(status=503)
        pipeline.send(Track("5", "purchase", {"price": 13.99}))
        pipeline.flush(timeout=10)

        pipeline.send(Track("5", "purchase", {"price": 0, "staff": True}))

        pipeline.send(Track("5", "essay", {"text": "too long" * 20_000}))


if __name__ == "__main__":
    main()
