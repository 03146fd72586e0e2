"""`cio-events sandbox tail`, and the two lines that the terminal shows for each call."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from cio_events._cli.output import escaped

if TYPE_CHECKING:
    import requests

    from cio_events.sandbox import ReceivedRequest

# The sandbox sends something every 15 seconds at the latest.
SILENCE_SECONDS = 60
RETRY_SECONDS = 0.5


def told(request: ReceivedRequest) -> Iterator[str]:
    """A request's calls, two lines each."""
    names = ("time", "method", "path", "status", "items")
    items = [
        {
            **{name: getattr(item, name) for name in ("kind", "verdict", "customer", "name")},
            "findings": [
                {"message": finding.message, "mend": finding.mend} for finding in item.findings
            ],
        }
        for item in request.items
    ]
    return lines({**{name: getattr(request, name) for name in names}, "items": items})


def lines(request: Mapping[str, Any]) -> Iterator[str]:
    """A request's calls as the stream has them: what came, what was answered and why."""
    at = time.strftime("%H:%M:%S", time.localtime(request["time"]))
    where = f"{request['method']} {escaped(request['path'])}"
    status = "dropped" if request["status"] is None else request["status"]
    for item in request["items"]:
        whom = f"for {item['customer']}" if item["customer"] else None
        what = " ".join(filter(None, (item["kind"], item["name"], whom)))
        yield f"{at} --> {where} {escaped(what)}"
        why = "; ".join(f"{f['message']}. {f['mend']}" for f in item["findings"])
        yield f"{at} <-- {status} {escaped(item['verdict'] + (': ' + why if why else ''))}"
    if not request["items"]:
        yield f"{at} --> {where}"
        yield f"{at} <-- {status}"


@click.command()
@click.option("--url", default="http://127.0.0.1:8026", show_default=True, help="The sandbox's.")
@click.option("--json", "as_json", is_flag=True, help="One object a line for each call.")
def tail(url: str, *, as_json: bool) -> None:
    """Print what a running sandbox is asked, until Ctrl-C."""
    show = _objects if as_json else lines
    try:
        _follow(url.rstrip("/"), show)
    except KeyboardInterrupt:
        return


def _follow(url: str, show: Callable[[Mapping[str, Any]], Iterator[str]]) -> None:
    # Not imported above: a sandbox itself does without, and begins sooner.
    import requests

    session = requests.Session()
    session.trust_env = False  # a proxy has no part in loopback
    mark: str | None = None
    while True:
        headers = {} if mark is None else {"Last-Event-ID": mark}
        try:
            with session.get(
                f"{url}/sandbox/stream", headers=headers, stream=True, timeout=SILENCE_SECONDS
            ) as answer:
                if answer.status_code != requests.codes.ok:
                    raise click.ClickException(f"there is no sandbox at {url}")
                for news in _pushed(answer):
                    mark = news["mark"]
                    for text in chain.from_iterable(map(show, news["requests"])):
                        click.echo(text)
        except requests.RequestException as missing:
            if mark is None:
                raise click.ClickException(f"there is no sandbox at {url}") from missing
        time.sleep(RETRY_SECONDS)


def _pushed(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """What each server-sent event says."""
    for line in answer.iter_lines():
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def _objects(request: Mapping[str, Any]) -> Iterator[str]:
    about = {name: value for name, value in request.items() if name != "items"}
    for item in request["items"] or [None]:
        yield json.dumps({**about, "item": item})
