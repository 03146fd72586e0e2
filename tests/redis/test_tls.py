"""A Redis behind TLS: whom it trusts is in the URL, and what is wrong with that is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
import trustme

from cio_events import ParamError
from cio_events._redis import connection
from tests.behaviour.watching import eventually, said, settled
from tests.cli import commands
from tests.redis.conftest import MakePipeline
from tests.redis.stored import names
from tests.support.ports import free_port
from tests.support.redis_server import PROGRAM, RedisServer

Behind: TypeAlias = "tuple[RedisServer, int, Path]"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A server, its port for TLS, and a directory with its authority and one of others."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server")
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(directory / "other.pem"))
    own = directory / "own.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(own))
    port = free_port()
    files = {"tls_cert_file": own, "tls_key_file": own, "tls_ca_cert_file": directory / "ca.pem"}
    try:
        server = RedisServer(tls_port=port, tls_auth_clients="no", **files)
    except AssertionError:
        pytest.skip("this redis-server was built without TLS")
    with server:
        server.do("ACL", "SETUSER", "ada", "on", ">s3cret", "~*", "&*", "+@all")
        server.do("ACL", "SETUSER", "default", "-@all", "+ping")
        yield server, port, directory


def test_user_password_and_authority_are_in_the_url(behind: Behind, publish: MakePipeline):
    """As redis-py has them."""
    server, port, directory = behind
    url = f"rediss://ada:s3cret@localhost:{port}/0?ssl_ca_certs={directory}/ca.pem"
    pipeline = publish(url)
    pipeline.track("5", "bought")
    settled(pipeline)
    assert commands.run("relay", "status", "--json", "--url", url).exit_code == 1
    assert "s3cret" not in repr(pipeline) + repr(pipeline.options)
    server.do("AUTH", "ada", "s3cret")
    assert names(server) == ["bought"]


@pytest.mark.parametrize(
    ("host", "file", "words"),
    [
        ("localhost", "other.pem", "its certificate is not trusted (self"),
        ("127.0.0.1", "ca.pem", "not valid for '127.0.0.1'); ssl_ca_certs=FILE in the URL"),
        ("localhost", "nothing.pem", "a file that the URL names for TLS is not there"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_of(
    behind: Behind,
    publish: MakePipeline,
    caplog: pytest.LogCaptureFixture,
    host: str,
    file: str,
    words: str,
):
    """By the pipeline, which keeps its calls, and by the commands."""
    _, port, directory = behind
    url = f"rediss://ada:s3cret@{host}:{port}/0?ssl_ca_certs={directory}/{file}"
    pipeline = publish(url, hold_interval=60)
    pipeline.track("5", "bought")
    refusal = "the relay's Redis refuses us"
    assert eventually(lambda: any(refusal in line and words in line for line in said(caplog)))
    assert pipeline.stats().pending == 1
    done = commands.run("relay", "status", "--url", url)
    assert done.exit_code == 1
    assert words in done.stderr
    assert "s3cret" not in caplog.text + done.output


def test_settings_that_are_none_are_refused():
    """Before there is any connection."""
    for setting in ("ssl_cert_reqs=what", "nonsense=1"):
        with pytest.raises(ParamError, match="relay: has a setting that redis-py does not know"):
            connection.connect(f"rediss://localhost:1/0?{setting}", 1.0)
