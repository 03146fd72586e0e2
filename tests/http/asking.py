"""How these tests ask: an endpoint, a request that must fail, and what an answer is made of."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cio_events._http.credentials import basic
from cio_events._http.endpoint import Endpoint
from cio_events._wire.request import Request
from cio_events.errors import NoAnswerError
from tests.support.scripts import run_code
from tests.support.servers import Peer

if TYPE_CHECKING:
    import trustme

# What a request gets that must time out, and what a test grants it to do so: without a deadline
# over the whole of the exchange, the servers here go on forever.
BUDGET = 0.4
GENEROUS = 20.0

REQUEST = Request("POST", "/api/v2/entity", b'{"who":"lucy@example.com"}')
SECRET_PATH = Request("PUT", "/api/v1/customers/lucy%40example.com", b"{}")


def endpoint(url: str, **options: object) -> Endpoint:
    """A client of the server at *url*."""
    return Endpoint(url, basic("site", "key"), **options)


def failure(url: str, request: Request = REQUEST, **options: object) -> NoAnswerError:
    """What a request that must fail fails with, in a time that a deadline explains."""
    timeout = options.pop("timeout", BUDGET)
    repeatable = options.pop("repeatable", True)
    client = endpoint(url, **options)
    started = time.monotonic()
    with pytest.raises(NoAnswerError) as raised:
        client.send(request, timeout=timeout, repeatable=repeatable)
    client.close()

    assert time.monotonic() - started < GENEROUS
    return raised.value


def send_answer(peer: Peer, body: bytes) -> bool:
    """Answer what was read with *body*."""
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return True


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    """That of a server at ``localhost``, by a certificate of *ca*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def run_python(script: str, *, fresh: bool = False, **environ: str) -> str:
    """
    What *script* prints in a process of its own, to which all warnings are errors.

    With `fresh`, it has an interpreter of its own as well.
    """
    if not fresh:
        env = {**os.environ, **environ}
        printed, said = run_code(textwrap.dedent(script), env=env, whole=True)
        assert said == ""
        return printed
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd()), **environ}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
