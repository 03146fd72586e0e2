"""Forks and imports: no connection is shared, and nothing is done before it is needed."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from cio_events._wire.request import Request
from tests.http.asking import REQUEST, endpoint, run_python
from tests.support.servers import ScriptedServer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
class TestForks:
    @pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])
    def test_parent_and_child_do_not_share_connections(
        self,
        given: bool,
        tls_server: ScriptedServer,
        ca_file: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Both send through the same endpoint, at the same time and over TLS."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
        session = requests.Session() if given else None
        closed: list[HTTPAdapter] = []
        original = _TellingAdapter(closed)
        if session is not None:
            session.mount("https://", original)
        client = endpoint(tls_server.url, session=session)
        client.send(Request("POST", "/parent", b"{}"))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(50):
                    client.send(Request("POST", "/child", b"{}"))
                client.close()
                status = 2 if original in closed else 0
            finally:
                os._exit(status)
        for _ in range(50):
            client.send(Request("POST", "/parent", b"{}"))
        _, status = os.waitpid(child, 0)
        client.close()
        ports = {
            path: {received.port for received in tls_server.requests if received.target == path}
            for path in ("/parent", "/child")
        }

        assert os.waitstatus_to_exitcode(status) == 0
        assert len(tls_server.requests) == 101
        assert ports["/parent"].isdisjoint(ports["/child"])
        assert len(ports["/parent"]) == len(ports["/child"]) == 1

    def test_a_session_of_the_applications_keeps_its_ways_in_the_child(self) -> None:
        """Also what its class and its adapters have of their own."""

        class Session(requests.Session):
            def __init__(self) -> None:
                super().__init__()
                self.mark = "mesh"

            def prepare_request(self, request):
                request.headers["X-Mark"] = self.mark
                return super().prepare_request(request)

        session = Session()
        session.mount("http://", _TellingAdapter([]))
        session.cookies["a"] = "1"
        with ScriptedServer() as server:
            client = endpoint(server.url, session=session)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    status = 0 if client.send(REQUEST).status == 200 else 2
                finally:
                    os._exit(status)
            _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert server.requests[0].headers["x-mark"] == "mesh"
        assert server.requests[0].headers["cookie"] == "a=1"

    def test_a_child_forked_while_requests_is_being_imported_does_not_hang(
        self, tmp_path: Path
    ) -> None:
        """Another thread's import is waited for, not inherited half done."""
        package = tmp_path / "requests"
        package.mkdir()
        (package / "__init__.py").write_text(
            textwrap.dedent(
                """
                import sys, threading, time, __main__
                __main__.importing.set()
                time.sleep(1)
                sys.path.remove(sys.path[0])
                del sys.modules["requests"]
                import requests
                """
            )
        )
        script = """
            import logging, os, sys, threading
            importing = threading.Event()
            from cio_events.errors import NoAnswerError
            from cio_events._http.credentials import basic
            from cio_events._http.endpoint import Endpoint
            from cio_events._wire.request import Request
            assert "requests" not in sys.modules
            client = Endpoint("http://127.0.0.1:1", basic("a", "b"))
            def send():
                try:
                    client.send(Request("GET", "/", None))
                except NoAnswerError:
                    pass
            thread = threading.Thread(target=send)
            thread.start()
            assert importing.wait(10)
            child = os.fork()
            send()
            if child == 0:
                os._exit(7)
            thread.join()
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        done = run_python(script, fresh=True, PYTHONPATH=f"{tmp_path}{os.pathsep}{Path.cwd()}")

        assert done == "7\n"


class _TellingAdapter(HTTPAdapter):
    """
    An adapter with something that no copy by `copy` would have, which tells when it is closed.
    """

    def __init__(self, closed: list[HTTPAdapter]) -> None:
        self.closed = closed
        super().__init__()

    def close(self) -> None:
        self.closed.append(self)
        super().close()


class TestImport:
    def test_requests_is_not_imported_until_something_is_sent(self) -> None:
        """It takes longer than all else together, and many programs never send anything."""
        script = """
            import sys
            from cio_events._http.credentials import basic
            from cio_events._http.endpoint import Endpoint, track_url
            Endpoint(track_url("eu"), basic("a", "b")).close()
            print(json.dumps(sorted({"requests", "urllib3"} & set(sys.modules))))
        """
        assert json.loads(run_python("import json\n" + textwrap.dedent(script), fresh=True)) == []

    def test_nothing_is_printed_when_a_client_is_left_open(self) -> None:
        """Connections that die with the interpreter make no noise."""
        with ScriptedServer() as server:
            script = f"""
                from cio_events._http.credentials import basic
                from cio_events._http.endpoint import Endpoint
                from cio_events._wire.request import Request
                client = Endpoint({server.url!r}, basic("a", "b"))
                client.send(Request("GET", "/", None))
            """
            assert run_python(script) == ""
