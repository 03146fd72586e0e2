"""Connections that are not made, or break: what is known then, and what is said."""

from __future__ import annotations

import pickle
import socket
import threading
from pathlib import Path

import pytest

from cio_events.errors import AnswerTimeoutError, CustomerIOError, NoAnswerError
from tests.http.asking import (
    BUDGET,
    GENEROUS,
    REQUEST,
    SECRET_PATH,
    endpoint,
    failure,
    run_python,
    send_answer,
)
from tests.support.ports import free_port
from tests.support.servers import (
    Peer,
    ScriptedServer,
    Step,
    answer,
    drip_body,
    drip_headers,
    hang_up,
    raw,
    reset,
    stall,
    truncated,
    unanswered_port,
)


class TestNoAnswer:
    def test_a_refused_connection(self) -> None:
        """Nothing can have been received."""
        port = free_port()
        error = failure(f"http://127.0.0.1:{port}", timeout=GENEROUS)

        assert not error.maybe_received
        assert str(error) == f"no connection to http://127.0.0.1:{port}: Connection refused"

    @pytest.mark.cio_live  # a name that is none of this machine's
    @pytest.mark.cio_live  # a name that is none of this machine's
    def test_a_name_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing can have been received."""

        def look_up(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        error = failure("http://nowhere.invalid")

        assert not error.maybe_received
        assert "Name or service not known" in str(error)

    def test_a_certificate_that_is_not_trusted(self, tls_server: ScriptedServer) -> None:
        """Nothing can have been received, and the text says what is wrong."""
        error = failure(tls_server.url, timeout=GENEROUS)

        assert not error.maybe_received
        assert "certificate verify failed" in str(error)
        assert tls_server.requests == []

    @pytest.mark.parametrize("status", [403, 502])
    def test_a_proxy_that_refuses(
        self, status: int, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing can have been received."""
        with ScriptedServer([answer(status)]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{proxy.port}")
            error = failure(tls_server.url, timeout=GENEROUS)

        assert not error.maybe_received
        assert "proxy" in str(error)
        assert "hunter2" not in str(error)

    @pytest.mark.parametrize(
        "step",
        [reset(), hang_up(), raw(b"HTTP/1.1 2"), raw(b"nonsense\r\n\r\n"), reset(read=False)],
        ids=["reset", "hung up", "half a status", "nonsense", "reset at once"],
    )
    def test_a_broken_connection(self, step: Step) -> None:
        """The request may have been received, and it is not sent again here."""
        with ScriptedServer([step]) as server:
            error = failure(server.url, timeout=GENEROUS)

        assert error.maybe_received
        assert not isinstance(error, TimeoutError)
        assert server.connections == 1

    @pytest.mark.parametrize("step", [stall(), reset()], ids=["time out", "break"])
    def test_errors_hold_no_personal_data(self, step: Step) -> None:
        """The exceptions of requests quote the URL, which names the customer."""
        with ScriptedServer([step]) as server:
            error = failure(server.url, SECRET_PATH)
        while error is not None:
            shown = f"{error!s} {error!r} {vars(error)}"
            assert "lucy" not in shown
            assert "key" not in shown
            assert isinstance(error, CustomerIOError)
            error = error.__cause__ or error.__context__

    def test_what_the_caller_was_handling_is_no_reason(self) -> None:
        """A request in an ``except`` clause does not fail with the clause's own error."""
        with ScriptedServer([hang_up()]) as server:
            try:
                raise FileNotFoundError(2, "No such file", "lucy.txt")
            except FileNotFoundError:
                error = failure(server.url, timeout=GENEROUS)

        assert "No such file" not in str(error)
        assert "RemoteDisconnected" in str(error)

    def test_errors_can_be_pickled(self) -> None:
        """They cross process boundaries, as those of a pool of workers."""
        with ScriptedServer([stall()]) as server:
            error = failure(server.url)
        copy = pickle.loads(pickle.dumps(error))

        assert type(copy) is AnswerTimeoutError
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


class TestStaleConnections:
    """A server closes an idle connection just as the next request is on its way."""

    @pytest.mark.parametrize("step", [reset(read=False), hang_up(read=False), hang_up()])
    def test_a_request_on_a_kept_connection_is_sent_again_at_once(self, step: Step) -> None:
        """Nobody hears of it."""
        with ScriptedServer([answer(), step, answer(202)]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            status = client.send(REQUEST).status
            client.close()

        assert status == 202
        assert server.connections == 2

    def test_it_is_sent_again_on_a_new_connection(self) -> None:
        """Of several that are kept, all may have been closed."""
        both = threading.Barrier(2)

        def wait_for_both(peer) -> bool:
            peer.read()
            both.wait(GENEROUS)
            return send_answer(peer, b"{}")

        closed = reset(read=False)
        with ScriptedServer([wait_for_both, wait_for_both, closed, answer(202)]) as server:
            client = endpoint(server.url)
            threads = [threading.Thread(target=client.send, args=(REQUEST,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(GENEROUS)
            assert server.connections == 2
            status = client.send(REQUEST).status
            client.close()

        assert status == 202
        assert server.requests[-1].connection == 2

    def test_it_is_sent_again_only_once(self) -> None:
        """Whether to try again later is for others to say."""
        with ScriptedServer([answer(), reset(), reset(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError) as raised:
                client.send(REQUEST)
            client.close()

        assert raised.value.maybe_received
        assert len(server.requests) == 3

    def test_an_answer_that_breaks_off_is_not_asked_for_again(self) -> None:
        """The server was there and alive: it was no stale connection."""
        with ScriptedServer([answer(), truncated(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            assert client.send(REQUEST).broken
            client.close()

        assert len(server.requests) == 2

    def test_a_timeout_is_no_reason_to_send_again(self) -> None:
        """The time is up."""
        with ScriptedServer([answer(), stall(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=BUDGET)
            client.close()

        assert len(server.requests) == 2

    def test_what_must_not_be_sent_twice_is_not(self) -> None:
        """The caller is told that it may have been received."""
        with ScriptedServer([answer(), reset(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError) as raised:
                client.send(REQUEST, repeatable=False)
            client.close()

        assert raised.value.maybe_received
        assert len(server.requests) == 2

    def test_what_must_not_be_sent_twice_takes_no_idle_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else it would be in doubt whenever the server closes a connection."""
        monkeypatch.setattr("cio_events._http.endpoint._IDLE_SECONDS_UNREPEATABLE", 0.0)
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            client.send(REQUEST, repeatable=False)
            client.send(REQUEST)
            client.close()

        assert [received.connection for received in server.requests] == [0, 1, 1]

    def test_what_was_idle_for_long_is_not_used_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is on the way may have forgotten it, and tells nobody."""
        monkeypatch.setattr("cio_events._http.endpoint._IDLE_SECONDS", 0.0)
        with ScriptedServer() as server:
            client = endpoint(server.url)
            for _ in range(2):
                client.send(REQUEST)
            client.close()

        assert [received.connection for received in server.requests] == [0, 1]

    def test_what_was_sent_on_the_first_connection_may_have_been_received(self) -> None:
        """Also if the second is refused."""
        server = ScriptedServer()

        def die(peer: Peer) -> bool:
            peer.read()
            server._listener.shutdown(socket.SHUT_RDWR)
            server._listener.close()
            peer.reset()
            return False

        server.then(answer(), die)
        with server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError) as raised:
                client.send(REQUEST)
            client.close()

        assert raised.value.maybe_received


class TestWhyThereIsNone:
    """A few words of the system's, by which one can tell what to change."""

    def test_nobody_listens(self) -> None:
        """The operating system's word."""
        port = free_port()
        error = failure(f"http://127.0.0.1:{port}", timeout=GENEROUS)

        assert error.cause == "Connection refused"

    def test_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is wrong, or there is no network."""

        def look_up(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        error = failure("http://127.0.0.1:1")

        assert error.cause == "the name cannot be looked up: Name or service not known"

    def test_a_certificate(self, tls_server: ScriptedServer) -> None:
        """OpenSSL's words, without Python's decoration."""
        error = failure(tls_server.url, timeout=GENEROUS)

        assert error.cause.startswith("certificate verify failed: ")
        assert "_ssl.c" not in error.cause

    def test_a_file_of_certificates(
        self, tls_server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not there, or is none. Nothing can have been received."""
        nonsense = tmp_path / "nonsense.pem"
        nonsense.write_text("nothing")
        for path in (tmp_path / "nowhere.pem", nonsense):
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
            error = failure(tls_server.url, timeout=GENEROUS)
            assert "certificate" in error.cause
            assert not error.maybe_received

    @pytest.mark.parametrize(
        ("step", "cause"),
        [
            (answer(502), "at the proxy: Tunnel connection failed: 502 Bad Gateway"),
            (
                raw(b"HTTP/1.1 502 lucy@example.com \x1b[31m\r\n\r\n"),
                "at the proxy: Tunnel connection failed: 502 *** \\x1b[31m",
            ),
        ],
    )
    def test_a_proxy(
        self,
        step: Step,
        cause: str,
        tls_server: ScriptedServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """That it was the proxy, and what it said."""
        with ScriptedServer([step]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{proxy.port}")
            error = failure(tls_server.url, timeout=GENEROUS)

        assert error.cause == cause
        assert not error.maybe_received

    def test_a_proxy_that_is_not_there(
        self, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That it was the proxy."""
        port = free_port()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = failure(tls_server.url, timeout=GENEROUS)

        assert error.cause == "at the proxy: Connection refused"
        assert not error.maybe_received

    def test_a_proxy_that_wants_credentials_answers(
        self, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By its status, which is about the settings as any 407 is."""
        with ScriptedServer([answer(407)]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            client = endpoint(tls_server.url)
            status = client.send(REQUEST).status
            client.close()

        assert status == 407
        assert tls_server.requests == []

    @pytest.mark.parametrize(
        ("step", "cause", "status"),
        [
            (stall(), "timeout before the answer", None),
            (drip_headers(), "timeout before the answer", None),
            (drip_body(), "timeout within the answer", 200),
        ],
        ids=["stall", "headers", "body"],
    )
    def test_a_timeout(self, step: Step, cause: str, status: int | None) -> None:
        """How far it had come."""
        with ScriptedServer([step]) as server:
            error = failure(server.url)

        assert (error.cause, error.status) == (cause, status)

    def test_a_connection_that_takes_too_long(self) -> None:
        """Nothing was sent."""
        with unanswered_port() as port:
            error = failure(f"http://127.0.0.1:{port}")

        assert error.cause == "timeout before a connection was made"

    def test_no_descriptor_is_left(self) -> None:
        """Not even to import what sending needs: nothing was sent, and later it goes on."""
        with ScriptedServer() as server:
            script = f"""
                import gc, os, resource
                gc.disable()  # it would close what is still open of the first client
                from cio_events._http.credentials import basic
                from cio_events._http.endpoint import Endpoint
                from cio_events._wire.request import Request
                from cio_events.errors import NoAnswerError
                limits = resource.getrlimit(resource.RLIMIT_NOFILE)
                clients = [Endpoint({server.url!r}, basic("a", "b")) for _ in range(2)]
                for client in clients:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
                    taken = []
                    try:
                        while True:
                            taken.append(os.dup(0))
                    except OSError:
                        pass
                    try:
                        client.send(Request("POST", "/x", b"{{}}"))
                    except NoAnswerError as error:
                        print(error.maybe_received, error.cause)
                    for descriptor in taken:
                        os.close(descriptor)
                    print(client.send(Request("POST", "/x", b"{{}}")).status)
                    client.close()
            """
            printed = run_python(script, fresh=True)

        assert printed == "False Too many open files\n200\n" * 2
