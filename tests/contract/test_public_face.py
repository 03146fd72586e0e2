"""The public face: which names there are, how they are called, and what an import does not do."""

from __future__ import annotations

import inspect
import json
import pickle
import pkgutil
import pydoc
import re
import signal
import subprocess
import sys
import textwrap
import types

import pytest

import cio_events
from cio_events.sandbox import Sandbox
from tests.support.scripts import environment, run_code, run_python

_CLIENT_OPTIONS = "region='us', url=None, timeout=10.0, user_agent=None, session=None)"

SIGNATURES = [
    # Pipelines, and the sources
    "configure(**options)",
    "get_pipeline()",
    "Pipeline(**options)",
    "CustomerIOProcessor(pipeline=None, *, event_key='event')",
    "CustomerIOHandler(pipeline=None, level=0, **options)",
    "Pipeline.send(call)",
    "Pipeline.flush(timeout=None)",
    "Pipeline.close(timeout=None)",
    "Pipeline.stats()",
    # Clients
    "TrackClient(site_id, api_key, *, " + _CLIENT_OPTIONS,
    "AppClient(app_api_key, *, " + _CLIENT_OPTIONS,
    "AppClient.send(message, *, timeout=None)",
    "AppClient.send_email(message, *, timeout=None)",
    "AppClient.send_in_app(message, *, timeout=None)",
    "AppClient.send_inbox_message(message, *, timeout=None)",
    "AppClient.send_push(message, *, timeout=None)",
    "AppClient.send_sms(message, *, timeout=None)",
    "AppClient.send_whatsapp(message, *, timeout=None)",
    (
        "AppClient.trigger_broadcast(broadcast_id, data=None, *, recipients=None, ids=None, "
        "emails=None, ignore_missing=None, add_duplicates=None, timeout=None)"
    ),
    "TrackClient.send(call, *, timeout=None)",
    "TrackClient.batch(calls, *, timeout=None)",
    "TrackClient.region(*, timeout=None)",
    "deadline(seconds)",
    # Life, and what it leaves behind
    "flushing(pipeline=None, *, timeout=2.0)",
    f"install_signal_handlers(signals={(signal.SIGTERM, signal.SIGINT)}, *, timeout=None)",
    "Pipeline.failures()",
    "Pipeline.resend(ids=None)",
    "Pipeline.discard(ids=None)",
    # Calls
    "Identifier(value, type='id')",
    "Identify(customer, attributes=None, *, timestamp=None)",
    "Track(customer, name, data=None, *, type='event', id=None, timestamp=None)",
    "TrackAnonymous(anonymous_id, name, data=None, *, type='event', id=None, timestamp=None)",
    "Delete(customer)",
    "Suppress(customer)",
    "Unsuppress(customer)",
    "Merge(primary, secondary)",
    "AddDevice(customer, device_id, platform, data=None)",
    "DeleteDevice(customer, device_id)",
    # Messages and objects
    "SendEmail.attach(name, data)",
    "Device(token, platform, data=None)",
    "ObjectIdentifier(object_type_id=None, object_id=None, *, cio_object_id=None)",
    "Relationship(to, attributes=None)",
    "IdentifyObject(object, attributes=None, relationships=())",
    "DeleteObject(object)",
    "AddRelationships(subject, relationships)",
    "DeleteRelationships(subject, relationships)",
    "AddToSegment(segment_id, customers)",
    "RemoveFromSegment(segment_id, customers)",
    "ReportMetric(delivery_id, metric, *, timestamp=None, recipient=None, reason=None, href=None)",
    "Operation(operation)",
]

# Every field of the vendor's schema, each optional by itself and left out unless it is given.
_OF_ALL_MESSAGES = {
    "transactional_message_id",
    "identifiers",
    "message_data",
    "send_at",
    "language",
    "disable_message_retention",
    "queue_draft",
    "auto_create",
}
FIELDS = {
    "SendEmail": _OF_ALL_MESSAGES
    | {"to", "from_", "reply_to", "cc", "bcc", "fake_bcc", "subject", "preheader", "body"}
    | {"body_plain", "body_amp", "headers", "attachments", "tracked", "send_to_unsubscribed"}
    | {"disable_css_preprocessing"},
    "SendPush": _OF_ALL_MESSAGES
    | {"to", "title", "message", "image_url", "link", "sound", "custom_data", "custom_payload"}
    | {"custom_device", "send_to_unsubscribed"},
}

# Each is send(Call(...)), with the call's own arguments.
VERBS = {
    "identify": cio_events.Identify,
    "track": cio_events.Track,
    "track_anonymous": cio_events.TrackAnonymous,
    "delete": cio_events.Delete,
    "merge_customers": cio_events.Merge,
    "add_device": cio_events.AddDevice,
    "delete_device": cio_events.DeleteDevice,
    "suppress": cio_events.Suppress,
    "unsuppress": cio_events.Unsuppress,
    "identify_object": cio_events.IdentifyObject,
    "delete_object": cio_events.DeleteObject,
    "add_relationships": cio_events.AddRelationships,
    "delete_relationships": cio_events.DeleteRelationships,
    "add_to_segment": cio_events.AddToSegment,
    "remove_from_segment": cio_events.RemoveFromSegment,
    "report_metric": cio_events.ReportMetric,
}


def signature(path: str) -> str:
    """How the object of that name is called, without types."""
    found: object = cio_events
    for name in path.split("."):
        found = getattr(found, name)
    assert callable(found)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in inspect.signature(found).parameters.items()
        if name != "self"
    ]
    return f"{path}{inspect.Signature(plain)}"


@pytest.mark.parametrize("expected", SIGNATURES)
def test_it_is_called_as_documented(expected: str) -> None:
    """The names, the parameters and their defaults are a contract."""
    assert signature(expected.partition("(")[0]) == expected


@pytest.mark.parametrize("message", FIELDS)
def test_a_message_has_every_field_of_the_vendor(message: str) -> None:
    """Each is a keyword, and what is not given is None: left out."""
    parameters = inspect.signature(getattr(cio_events, message)).parameters

    assert {*parameters} == FIELDS[message]
    assert {one.kind for one in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert {one.default for one in parameters.values()} == {None}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("owner", ["Pipeline", "TrackClient"])
def test_a_verb_has_the_arguments_of_its_call(owner: str, verb: str) -> None:
    """Pipeline and client share one vocabulary, and one declaration of it with ``timeout``."""
    method = inspect.signature(getattr(getattr(cio_events, owner), verb))
    call = inspect.signature(VERBS[verb])

    ours = {name: (p.kind, p.default) for name, p in method.parameters.items() if name != "self"}
    theirs = {name: (p.kind, p.default) for name, p in call.parameters.items()}
    theirs["timeout"] = (inspect.Parameter.KEYWORD_ONLY, None)
    assert ours == theirs


def test_all_is_what_is_visible() -> None:
    """`__all__` has every name that can be seen, rooms apart, and no other."""
    rooms = {module.name for module in pkgutil.iter_modules(cio_events.__path__)} - {
        *cio_events.__all__
    }
    visible = {
        name
        for name in dir(cio_events)
        if not name.startswith("_") and name not in {*rooms, "annotations", "TYPE_CHECKING"}
    }

    assert {*cio_events.__all__} == visible | {"__version__"}
    assert len(cio_events.__all__) == len({*cio_events.__all__})


def test_everything_public_is_documented() -> None:
    """
    Each name, and each method and property of a class among them, has a docstring of its own.
    """
    undocumented = []
    for name in cio_events.__all__:
        found = getattr(cio_events, name)
        if inspect.isclass(found):
            members = {
                f"{name}.{member}": value
                for base in inspect.getmro(found)
                if base.__module__.startswith("cio_events")
                for member, value in vars(base).items()
                if not member.startswith("_")
                and isinstance(value, (types.FunctionType, property, classmethod, staticmethod))
            }
            undocumented += [path for path, value in members.items() if not value.__doc__]
        if not isinstance(found, str) and not (inspect.getdoc(found) or "").strip():
            undocumented.append(name)
    for name in ("sent", "failed", "dropped", "retrying"):
        assert f"`{name}`" in (cio_events.signals.__doc__ or "")

    assert undocumented == []


def test_help_opens_with_an_example_and_the_names() -> None:
    """Before the rooms, which pydoc lists too."""
    text = pydoc.plain(pydoc.render_doc(cio_events))
    opening, _, _ = text.partition("PACKAGE CONTENTS")

    assert opening.index("cio_customer=") < opening.index("Set up")
    named = {*re.findall(r"\w+", opening.partition("Set up")[2])}
    assert {*cio_events.__all__} - named == {"__version__"}


def test_the_example_in_the_help_runs() -> None:
    """As it stands there."""
    example = (inspect.getdoc(cio_events) or "").partition("::\n")[2].partition("\nSet up")[0]
    with Sandbox() as sandbox:
        env = environment(sandbox)
        code = textwrap.dedent(example).replace("…", "secret")
        run_code(code, env=env)

        assert [(event.customer, event.data) for event in sandbox.events] == [
            ("5", {"price": 13.99})
        ]


UNPICKLED = """
import pickle, sys
import cio_events
names = [name for name in cio_events.__all__ if name not in ("__version__", "signals")]
for name in names:
    assert pickle.load(sys.stdin.buffer) is getattr(cio_events, name), name
print(len(names))
"""


def test_exports_live_in_the_package_itself() -> None:
    """Tracebacks and pickles name what users import, and a pickle outlives a room that moves."""
    pickled = b""
    for name in cio_events.__all__:
        if name not in ("__version__", "signals"):
            found = getattr(cio_events, name)
            assert found.__module__ == "cio_events", name
            assert found.__qualname__ == name
            pickled += pickle.dumps(found)
    unpickled = subprocess.run(
        [sys.executable, "-c", UNPICKLED],
        env=environment(),
        input=pickled,
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert b"cio_events." not in pickled
    assert int(unpickled.stdout) == len(cio_events.__all__) - 2


def test_what_is_made_lives_in_the_package_too() -> None:
    """Also if its class was never asked for by name."""
    code = "import cio_events; print(type(cio_events.configure()).__module__)"
    out, _ = run_python("-c", code, env=environment())

    assert out.strip() == "cio_events"


IMPORT = """
import atexit, json, os, sys, threading

opened, registered = [], []

def watch(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        opened.append(str(arguments[0]))
    elif event.startswith(("socket.", "subprocess.", "os.fork", "_thread.", "sqlite3.")):
        opened.append(event)

sys.dont_write_bytecode = True
import logging, blinker, orjson
atexit.register = lambda function, *a, **k: registered.append(repr(function))
os.register_at_fork = lambda **hooks: registered.append(repr(hooks))
sys.addaudithook(watch)
import cio_events
cio_events.CustomerIOProcessor()
cio_events.CustomerIOHandler()
print(json.dumps({
    "opened": opened,
    "registered": registered,
    "threads": threading.active_count(),
    "loaded": sorted(
        {"structlog", "requests", "urllib3", "sqlite3", "click", "starlette"} & set(sys.modules)
    ),
    "handlers": len(__import__("logging").getLogger("cio_events").handlers),
}))
"""


def test_import_is_silent() -> None:
    """An import, and making both sources, opens, registers and starts nothing, and is cheap."""
    out, err = run_python("-c", IMPORT, env=environment())

    assert err == ""
    assert json.loads(out) == {
        "opened": [],
        "registered": [],
        "threads": 1,
        "loaded": [],
        "handlers": 0,
    }


def test_param_error_survives_pickling() -> None:
    """With its field and its limit, and it is a ValueError too."""
    with pytest.raises(cio_events.ParamError) as caught:
        cio_events.Track("5", "x" * 101)
    error = pickle.loads(pickle.dumps(caught.value))

    assert (error.param, error.limit) == ("name", 100)
    assert isinstance(error, ValueError)
    assert isinstance(error, cio_events.CustomerIOError)
