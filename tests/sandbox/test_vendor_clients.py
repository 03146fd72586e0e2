"""The vendor's own clients run against the sandbox, and nothing that they send is refused."""

from __future__ import annotations

import datetime as dt
import os
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import customerio
import pytest
import trustme

from cio_events.sandbox import Sandbox
from tests.sandbox.asking import TIMEOUT_SECONDS
from tests.support.npm import NODE_CLIENT, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"


class Tls:
    """Takes TLS off and passes on: the vendor's clients speak nothing else."""

    def __init__(self, sandbox: Sandbox, authority: Path) -> None:
        made = trustme.CA()
        made.cert_pem.write_to_path(str(authority))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert("localhost").configure_cert(self._context)
        self._to = sandbox.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT_SECONDS)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with (
            suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as near,
            socket.create_connection(("127.0.0.1", self._to)) as far,
        ):
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join(TIMEOUT_SECONDS)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is running."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def tls(sandbox: Sandbox, tmp_path: Path) -> Iterator[Tls]:
    """TLS before it, by an authority in `ca.pem`."""
    front = Tls(sandbox, tmp_path / "ca.pem")
    yield front
    front.close()


def assert_nothing_refused(sandbox: Sandbox, requests: int) -> None:
    """All of them were taken, and none is taken otherwise than was meant."""
    assert [(r.path, r.answer) for r in sandbox.requests if r.status not in (200, 204)] == []
    assert sandbox.findings == []
    assert len(sandbox.requests) == requests


def test_the_python_client(sandbox: Sandbox, tls: Tls, tmp_path: Path) -> None:
    """Every method of it."""
    now = dt.datetime.now(dt.timezone.utc)
    track = customerio.CustomerIO("site", "key", host="localhost", port=tls.port, retries=0)
    app = customerio.APIClient("app-key", url=f"https://localhost:{tls.port}", retries=0)
    for client in (track, app):
        client.http.verify = str(tmp_path / "ca.pem")
        client.http.trust_env = False

    with track, app:
        track.identify(5, email="lucy@example.com", created_at=now, plan="pro", gone=None)
        track.identify("cio@example.com", first_name="Cio")
        track.track(5, "bought", {"price": 13.99, "at": now, "nan": float("nan")})
        track.track(5, "bought", id=ULID, timestamp=int(now.timestamp()))
        track.track_anonymous("anon", "visited", {"x": 1})
        track.track_anonymous(42, "visited")
        track.track_anonymous(None, "invited", {"recipient": "new@example.com"})
        track.pageview(5, "https://example.com", referrer="https://example.org")
        track.backfill(5, "signed up", now, plan="pro")
        track.add_device(5, "token", "ios", last_used=int(now.timestamp()), app="2")
        track.delete_device(5, "token")
        track.batch(
            [
                {
                    "type": "person",
                    "identifiers": {"id": "5"},
                    "action": "event",
                    "name": "in a batch",
                }
            ]
        )
        track.identify("6", plan="basic")
        track.merge_customers("id", "5", "email", "cio@example.com")
        track.suppress("6")
        track.unsuppress("6")
        track.delete("5")

        who: dict[str, Any] = {"transactional_message_id": "3", "identifiers": {"id": "5"}}
        email = customerio.SendEmailRequest(**who, to="lucy@example.com", _from="a@example.com")
        email.attach("a.txt", "content")
        receipts = [
            app.send_email(email),
            app.send_email(customerio.SendEmailRequest(**who, to="lucy@example.com")),
            app.send_push(customerio.SendPushRequest(**who, title="Hello")),
            app.send_sms(customerio.SendSMSRequest(**who)),
            app.send_whatsapp(customerio.SendWhatsAppRequest(**who, to="+15559876543")),
            app.send_inbox_message(
                customerio.SendInboxMessageRequest(**who, disable_message_retention=True)
            ),
            app.send_in_app(customerio.SendInAppRequest(**who, disable_message_retention=True)),
        ]

    assert all(receipt["delivery_id"] for receipt in receipts)
    assert_nothing_refused(sandbox, 17 + len(receipts))


SCRIPT = """
const fs = require('fs');
const cio = require('customerio-node');
const [port, ca] = process.argv.slice(2);
const options = {port, ca: fs.readFileSync(ca), timeout: 20000};
const track = new cio.TrackClient('site', 'key', {...options, url: 'https://localhost/api/v1'});
const app = new cio.APIClient('app-key', {...options, url: 'https://localhost/v1'});
const who = {transactional_message_id: 3, identifiers: {id: '5'}, message_data: {x: 1}};
const now = Math.floor(Date.now() / 1000);

async function main() {
  await track.identify(5, {email: 'lucy@example.com', created_at: now, plan: 'pro', gone: null});
  await track.identify('cio@example.com');
  await track.track(5, {name: 'bought', data: {price: 13.99}, timestamp: now});
  await track.trackAnonymous('anon', {name: 'visited', data: {x: 1}});
  await track.trackAnonymous(42, {name: 'visited'});
  await track.trackAnonymous('', {name: 'invited', data: {recipient: 'new@example.com'}});
  await track.trackPageView(5, 'https://example.com');
  await track.trackPush({delivery_id: 'd', event: 'opened', device_id: 't', timestamp: now});
  await track.addDevice(5, 'token', 'ios', {last_used: now, app: '2'});
  await track.addDevice(5, 'other', 'android');
  await track.deleteDevice(5, 'token');
  await track.mergeCustomers('id', '5', 'email', 'cio@example.com');
  await track.suppress(5);
  await track.unsuppress(5);
  await track.identify(5);
  await track.destroy(5);
  const email = new cio.SendEmailRequest({...who, to: 'lucy@example.com'});
  email.attach('a.txt', Buffer.from('content'));
  await app.sendEmail(email);
  await app.sendEmail(new cio.SendEmailRequest({...who, to: 'lucy@example.com'}));
  await app.sendPush(new cio.SendPushRequest({...who, title: 'Hello'}));
  await app.sendSMS(new cio.SendSMSRequest({...who, disable_message_retention: true}));
  await app.sendInboxMessage(
    new cio.SendInboxMessageRequest({...who, disable_message_retention: true}));
  await app.sendInApp(new cio.SendInAppRequest({...who, disable_message_retention: true}));
  await app.triggerBroadcast(1, {headline: 'News'}, {segment: {id: 7}});
  await app.triggerBroadcast(2, {}, {emails: ['lucy@example.com'], email_ignore_missing: true});
  await app.triggerBroadcast(3, {}, {ids: ['5'], id_ignore_missing: true});
}
main().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The directory that has the Node client."""
    return installed(NODE_CLIENT, pytestconfig)


def test_the_node_client(sandbox: Sandbox, tls: Tls, tmp_path: Path, node_modules: Path) -> None:
    """Every method of it that tracks or sends."""
    (tmp_path / "script.js").write_text(SCRIPT, encoding="utf-8")
    ended = subprocess.run(
        ["node", "script.js", str(tls.port), str(tmp_path / "ca.pem")],
        cwd=tmp_path,
        env={**os.environ, "NODE_PATH": str(node_modules)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert_nothing_refused(sandbox, 25)
