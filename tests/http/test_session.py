"""A session of the application's: its settings hold, and it goes on to serve it."""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from requests.adapters import HTTPAdapter

from cio_events._http.endpoint import USER_AGENT
from cio_events.errors import AnswerTimeoutError, NoAnswerError
from tests.http.asking import (
    BUDGET,
    GENEROUS,
    REQUEST,
    endpoint,
    failure,
    run_python,
    server_context,
)
from tests.support.ports import free_port
from tests.support.servers import (
    ScriptedServer,
    answer,
    drip_body,
    drip_headers,
    reset,
    stall,
    tunnel,
)

if TYPE_CHECKING:
    import trustme


class TestAnApplicationsSession:
    def test_its_headers_are_sent_but_ours_win(self) -> None:
        """Credentials, user agent and content type are not its to change."""
        session = requests.Session()
        session.headers.update(
            {"X-Mesh": "a", "User-Agent": "b", "Content-Type": "c", "Authorization": "d"}
        )
        session.auth = ("someone", "else")
        with ScriptedServer() as server:
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            session.close()
        headers = server.requests[0].headers

        assert headers["x-mesh"] == "a"
        assert headers["user-agent"] == USER_AGENT
        assert headers["content-type"] == "application/json"
        assert headers["authorization"] == f"Basic {base64.b64encode(b'site:key').decode()}"

    @pytest.mark.cio_live  # a name that is none of this machine's
    @pytest.mark.cio_live  # a name that is none of this machine's
    def test_its_proxies_are_used(self) -> None:
        """A plain HTTP proxy gets the whole URL."""
        with ScriptedServer() as proxy:
            session = requests.Session()
            session.proxies = {"http": proxy.url}
            client = endpoint("http://track.test", session=session)
            client.send(REQUEST)
            client.close()

        assert proxy.requests[0].target == "http://track.test/api/v2/entity"

    def test_its_proxies_are_used_for_tls(self, tls_server: ScriptedServer, ca_file: str) -> None:
        """Through a tunnel, with the destination's certificate verified."""
        with ScriptedServer([tunnel(tls_server.port)]) as proxy:
            session = requests.Session()
            session.proxies = {"https": proxy.url}
            session.verify = ca_file
            client = endpoint(tls_server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

        assert [received.method for received in proxy.requests] == ["CONNECT"]
        assert [received.method for received in tls_server.requests] == ["POST"]

    def test_what_changes_about_it_counts_at_once(self) -> None:
        """It is the application's, which may change it at any time."""
        with ScriptedServer() as server, ScriptedServer() as proxy:
            session = requests.Session()
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            session.proxies = {"http": proxy.url}
            client.send(REQUEST)
            client.close()

        assert [len(one.requests) for one in (server, proxy)] == [1, 1]

    def test_its_settings_go_before_the_environments(
        self, tls_server: ScriptedServer, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Alone, requests has it the other way round."""
        with ScriptedServer([tunnel(tls_server.port)]) as proxy, ScriptedServer() as other:
            monkeypatch.setenv("HTTPS_PROXY", other.url)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
            session = requests.Session()
            session.proxies = {"https": proxy.url}
            session.verify = ca_file
            client = endpoint(tls_server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

        assert other.connections == 0

    def test_unverified_delivers_where_warnings_are_errors(
        self, tls_server: ScriptedServer
    ) -> None:
        """urllib3 warns of it for each connection."""
        script = f"""
            import requests
            from cio_events._http.credentials import basic
            from cio_events._http.endpoint import Endpoint
            from cio_events._wire.request import Request
            session = requests.Session()
            session.verify = False
            client = Endpoint({tls_server.url!r}, basic("a", "b"), session=session)
            print(client.send(Request("POST", "/x", b"{{}}")).status)
            client.close()
        """
        assert run_python(script) == "200\n"
        assert len(tls_server.requests) == 1

    def test_its_client_certificate_is_shown(
        self, ca: trustme.CA, ca_file: str, tmp_path: Path
    ) -> None:
        """As a service mesh asks for."""
        context = server_context(ca)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        certificate = tmp_path / "client.pem"
        ca.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        session = requests.Session()
        session.verify, session.cert = ca_file, str(certificate)
        with ScriptedServer(tls=context) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

    def test_its_adapter_is_used(self) -> None:
        """
        One of the application's own is not replaced; broken connections are still told apart.
        """
        sent = []

        class Adapter(HTTPAdapter):
            def send(self, request, *args, **kwargs):
                sent.append(request.url)
                return super().send(request, *args, **kwargs)

        session = requests.Session()
        session.mount("http://", Adapter())
        steps = [answer(202), reset(), reset(), stall()]
        with ScriptedServer(steps, port=free_port()) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).status == 202
            with pytest.raises(NoAnswerError) as broken:
                client.send(REQUEST)
            with pytest.raises(AnswerTimeoutError) as stalled:
                client.send(REQUEST, timeout=BUDGET)
            session.close()
        refused = failure(server.url, session=session)  # its port is nobody else's by now

        assert len(sent) == 5
        assert (broken.value.maybe_received, stalled.value.maybe_received) == (True, True)
        assert not refused.maybe_received

    def test_its_adapters_connections_keep_the_deadline(self) -> None:
        """Of a class of the application's own too, against a server that drips."""

        class Adapter(HTTPAdapter):
            pass

        session = requests.Session()
        session.mount("http://", Adapter())
        for step in (drip_headers(), drip_body()):
            with ScriptedServer([step]) as server:
                error = failure(server.url, session=session)
            assert isinstance(error, AnswerTimeoutError)
            assert error.maybe_received

    @pytest.mark.parametrize("own_class", [False, True])
    def test_its_adapters_pins_hold(
        self, own_class: bool, tls_server: ScriptedServer, ca_file: str
    ) -> None:
        """A certificate that is trusted, and is not the one that was pinned, gets nothing."""
        der = ssl.PEM_cert_to_DER_cert(
            ssl.get_server_certificate(("localhost", tls_server.port), ca_certs=ca_file)
        )

        def status_with(pin: str) -> int:
            session = requests.Session()
            session.verify = ca_file
            adapter = HTTPAdapter()
            if own_class:

                class Pinned(HTTPAdapter):
                    def init_poolmanager(self, *args, **kwargs):
                        super().init_poolmanager(*args, assert_fingerprint=pin, **kwargs)

                adapter = Pinned()
            else:
                adapter.init_poolmanager(1, 1, assert_fingerprint=pin)
            session.mount("https://", adapter)
            client = endpoint(tls_server.url, session=session)
            try:
                return client.send(REQUEST, timeout=GENEROUS).status
            finally:
                client.close()

        assert status_with(hashlib.sha256(der).hexdigest()) == 200
        with pytest.raises(NoAnswerError, match=r"SSLError|[Ff]ingerprint") as refused:
            status_with("0" * 64)
        assert not refused.value.maybe_received
        assert len(tls_server.requests) == 1

    @pytest.mark.skipif(
        requests.__version__ == "2.32.2", reason="requests does not use an adapter's own context"
    )
    def test_its_adapters_client_certificate_is_shown(
        self, ca: trustme.CA, tmp_path: Path
    ) -> None:
        """One in a TLS context that the adapter was made with."""
        asking = server_context(ca)
        ca.configure_trust(asking)
        asking.verify_mode = ssl.CERT_REQUIRED
        context = ssl.create_default_context()
        ca.configure_trust(context)
        ca.issue_cert("client.test").configure_cert(context)

        class Showing(HTTPAdapter):
            def init_poolmanager(self, *args, **kwargs):
                super().init_poolmanager(*args, ssl_context=context, **kwargs)

        session = requests.Session()
        session.mount("https://", Showing())
        with ScriptedServer(tls=asking) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

    def test_its_connections_are_not_ours(self) -> None:
        """Our adapter is one of its own; what it has for other hosts stays where it is."""
        session = requests.Session()
        theirs = session.get_adapter("http://127.0.0.1")
        with ScriptedServer() as server:
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            client.close()

        assert session.get_adapter("http://other.test") is theirs
        assert session.get_adapter(f"{server.url}/x") is not theirs

    def test_its_retries_do_not_multiply(self) -> None:
        """There is one place for retries, and it is not urllib3."""
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=5))
        with ScriptedServer([reset(), answer()]) as server:
            failure(server.url, session=session, timeout=GENEROUS)

        assert len(server.requests) == 1

    def test_a_full_pool_that_blocks_is_bound_too(self) -> None:
        """Waiting for a connection of one's own is part of the time."""
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        with ScriptedServer([stall(), stall()]) as server:
            client = endpoint(server.url, session=session)
            errors = []

            def send(timeout: float) -> None:
                try:
                    client.send(REQUEST, timeout=timeout)
                except AnswerTimeoutError as error:
                    errors.append(error.maybe_received)

            first = threading.Thread(target=send, args=(BUDGET * 5,))
            first.start()
            while not server.requests:
                time.sleep(0.01)
            send(BUDGET)
            first.join(GENEROUS)
            client.close()

        assert errors == [False, True]

    def test_it_goes_on_to_serve_the_application(self) -> None:
        """Other hosts keep their adapter, and closing our client leaves the session open."""
        session = requests.Session()
        with ScriptedServer() as ours, ScriptedServer() as theirs:
            client = endpoint(ours.url, session=session)
            client.send(REQUEST)
            client.close()
            assert session.get(f"{theirs.url}/page", timeout=GENEROUS).status_code == 200
            assert session.get(f"{ours.url}/page", timeout=GENEROUS).status_code == 200
            assert type(session.get_adapter(theirs.url)) is HTTPAdapter
            session.close()

    def test_two_endpoints_can_share_it(self) -> None:
        """They share its connections too."""
        session = requests.Session()
        with ScriptedServer() as server:
            for _ in range(2):
                endpoint(server.url, session=session).send(REQUEST)
            session.close()

        assert server.connections == 1

    def test_a_hook_that_raises_keeps_nothing_from_us(self) -> None:
        """The answer is there: a common one raises for each status that is an error."""

        def refuse(response, **_):
            response.raise_for_status()

        session = requests.Session()
        session.hooks["response"].append(refuse)
        with ScriptedServer([answer(400, b'{"meta":{"error":"bad"}}')]) as server:
            client = endpoint(server.url, session=session)
            got = client.send(REQUEST)
            client.close()

        assert (got.status, got.body, got.broken) == (400, b'{"meta":{"error":"bad"}}', None)

    def test_a_hook_that_reads_the_answer_leaves_it_to_us(self) -> None:
        """There is but one stream to read it from."""
        session = requests.Session()
        session.hooks["response"].append(lambda response, **_: len(response.content) and None)
        with ScriptedServer([answer(207, b'{"errors":[]}')]) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).body == b'{"errors":[]}'
            client.close()

    def test_what_it_raises_itself_before_anything_was_sent(self) -> None:
        """It is a fault, and no doubt: nothing has left."""

        class Broken(requests.Session):
            def prepare_request(self, request):
                raise KeyError("lucy@example.com")

        error = failure("http://127.0.0.1:1", session=Broken())

        assert not error.maybe_received
        assert str(error) == "no connection to http://127.0.0.1:1: KeyError"

    def test_its_hooks_see_the_answer(self) -> None:
        """Such as those of instrumentation."""
        seen = []
        session = requests.Session()
        session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
        with ScriptedServer([answer(202)]) as server:
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            client.close()

        assert seen == [202]
