"""Every example runs as its docstring says, and Customer.io has what it logs."""

from __future__ import annotations

import re

from cio_events.sandbox import Sandbox
from tests.contract.test_deployment import DEPLOYED
from tests.support.scripts import ROOT, environment, run_code

EXAMPLES = ROOT / "examples"


def run_example(file: str, env: dict[str, str]) -> tuple[str, str]:
    """Run it as a script; returns what it printed and what it said."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    return run_code(code, file, env=env)


def test_quickstart_without_an_account_shows_lines_ledger_and_people() -> None:
    """
    Without credentials, the quickstart brings its own Customer.io and prints what it then knows.
    """
    out, err = run_example("examples/quickstart.py", environment())

    log, ledger, people = (part.splitlines() for part in re.split(r"\n--- .*\n\n", "\n" + out)[1:])
    assert err == ""
    assert [re.sub(" +", " ", line.rsplit(" cio_event_id=", 1)[0]) for line in log] == [
        "[info ] server started port=8000",
        "[info ] signed up cio=identify cio_customer=5 email=lucy@example.com plan=free",
        "[info ] purchase cio_customer=5 product=socks price=13.99",
        "[info ] app opened cio=add_device cio_customer=5 cio_device=t0k3n cio_platform=ios",
        (
            "WARNING from cio_events: a call is not sent: cio_customer: must not be blank "
            '(record "purchase" of __main__, quickstart.py:61)'
        ),
        "[info ] purchase cio_customer= product=gloves price=21.5 cio_refused=invalid",
    ]
    assert ledger == [
        "received 4",
        "  sent    3",
        "  failed  1, by reason {'invalid': 1}",
        "  dropped 0, by reason {}",
        "  pending 0",
    ]
    id_of_purchase = log[2].rsplit("=", 1)[1]
    assert people == [
        "person 5 <lucy@example.com>",
        "  attribute email = 'lucy@example.com'",
        "  attribute plan = 'free'",
        "  device    t0k3n (ios)",
        f"  event     purchase {{'product': 'socks', 'price': 13.99}}, id {id_of_purchase}",
    ]


def test_quickstart_with_credentials_sends_to_that_workspace(sandbox: Sandbox) -> None:
    """
    With credentials in the environment, no sandbox is started and the workspace gets the calls.
    """
    out, _ = run_example("examples/quickstart.py", environment(sandbox))

    person = sandbox.person("5")
    assert person is not None
    assert person.attributes["plan"] == "free"
    assert list(person.devices) == ["t0k3n"]
    assert [(event.name, event.data) for event in sandbox.events] == [
        ("purchase", {"product": "socks", "price": 13.99})
    ]
    assert "What Customer.io knows" not in out


def test_dictconfig_delivers_at_exit_what_it_logs(sandbox: Sandbox) -> None:
    """
    A LOGGING dictionary and the environment are all that the standard library's logging needs.
    """
    _, err = run_example("examples/dictconfig.py", environment(sandbox))

    person = sandbox.person("5")
    assert person is not None
    assert person.email == "lucy@example.com"
    assert [(event.name, event.data) for event in sandbox.events] == [
        ("paid %s", {"amount": 13.99, "currency": "EUR"})
    ]
    assert [line.split(" ", 2)[2] for line in err.splitlines()] == [
        "INFO shop: server started",
        "INFO shop: signed up",
        "INFO shop: paid 13.99 EUR",
    ]


def test_dictconfig_uses_nothing_but_the_standard_library() -> None:
    """Its imports are logging's alone: the handler is named in the dictionary."""
    source = (EXAMPLES / "dictconfig.py").read_text()

    imported = set(re.findall(r"^(?:import|from) (\S+)", source, re.MULTILINE))
    assert imported == {"__future__", "logging", "logging.config"}


def test_hooks_shows_all_four_signals() -> None:
    """Each signal is received once, with what it says of the call."""
    out, _ = run_example("examples/hooks.py", environment())

    assert out.splitlines() == [
        "retrying  1 calls (server_error, status 503)",
        "sent      <Track 'purchase'> after 2 requests",
        "dropped   <Track 'purchase'> as before_send",
        "failed    <Track 'essay'> as too_large: data: is over 100000 bytes as JSON",
    ]


def test_transactional_sends_from_a_log_line_and_by_a_client() -> None:
    """Both messages are in the outbox, with the deliveries that their receipts name."""
    out, _ = run_example("examples/transactional.py", environment())

    line, by_log, by_client, *outbox = out.splitlines()
    assert {"cio=send_email", "cio_customer=5"} <= set(line.split())
    logged, sent = by_log.rsplit(" ", 1)[1], by_client.rsplit(" ", 1)[1]
    assert outbox == [
        f"email {logged} to lucy@example.com",
        "  data {'total': 13.99}",
        f"email {sent} to lucy@example.com",
        "  data {'total': 13.99}",
        "  attachment invoice.txt: 'Socks: 13.99 EUR\\n'",
    ]


def test_every_example_is_run_here() -> None:
    """A new example needs a test, here or beside the others that are deployed."""
    run = {"quickstart.py", "dictconfig.py", "hooks.py", "transactional.py", *DEPLOYED}

    files = {path for path in EXAMPLES.rglob("*") if path.suffix in (".py", ".ini")}
    named = {path.relative_to(EXAMPLES).as_posix() for path in files}
    assert {name for name in named if not name.endswith("__init__.py")} == run
