"""
The migration tables of the documentation: each function of the vendor's clients, and ours for it.

``python -m tests.contract.migration`` writes them into their pages.
`tests.contract.test_migration` shows that they are true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.contract.pages import DOCS, with_table


@dataclass(frozen=True)
class Sent:
    """
    A request.

    Attributes:
        method: The HTTP method.

        path: The parts of the path, decoded.

        body: The meaning of the body; None if there is none.
    """

    method: str
    path: tuple[str, ...]
    body: Any = None


@dataclass(frozen=True)
class Row:
    """
    One function, or several that are the same here.

    Attributes:
        theirs: The function's name, or the line that calls it.

        now: The line that does it here, with a direct client.

        log: The line that does it in the log; ``""`` if it is not a matter of logging.

        note: What is different.

        request: What their function sends; None if it sends nothing.

        ours: What ours sends, where that is different on purpose.
    """

    theirs: str
    now: str
    log: str
    note: str = ""
    request: Sent | None = None
    ours: Sent | None = field(default=None)


def _customer(*more: str) -> tuple[str, ...]:
    return ("api", "v1", "customers", "5", *more)


_EVENTS = _customer("events")
_ANONYMOUS = ("api", "v1", "events")
_DEVICES = _customer("devices")
_MERGE = ("api", "v1", "merge_customers")
_PLAN = {"plan": "basic"}
_SOCKS = {"price": 13.99}
_MERGED = Sent("POST", _MERGE, {"primary": {"id": "5"}, "secondary": {"email": "a@b.c"}})
_PURCHASE = Sent("POST", _EVENTS, {"name": "purchase", "data": _SOCKS})
_VISIT = Sent("POST", _ANONYMOUS, {"anonymous_id": "a1", "name": "visit", "data": {"page": "/"}})
_INVITATION = {"recipient": "alex@example.com"}
_INVITE = Sent("POST", _ANONYMOUS, {"name": "invite", "data": _INVITATION})
_DEVICE = {"id": "token", "platform": "ios"}
_OUR_DEVICE = Sent(
    "PUT",
    _DEVICES,
    {"device": {**_DEVICE, "last_used": 1700000000, "attributes": {"app": "2.0"}}},
)


def _message(kind: str, **fields: Any) -> Sent:
    body = {"identifiers": {"id": "5"}, "transactional_message_id": 3, **fields}
    return Sent("POST", ("v1", "send", kind), body)


_EMAIL = _message("email", to="lucy@example.com", message_data={"order": 7})
_GO_EMAIL = _message(
    "email", to="lucy@example.com", message_data={"order": 7}, transactional_message_id="3"
)
_PUSH = _message("push", title="On its way")
_ATTACHED = _message("email", to="lucy@example.com", attachments={"a.txt": "aGk="})

IDENTIFY = (
    'track.identify("5", {"plan": "basic"})',
    'log.info("signup", cio="identify", cio_customer="5", plan="basic")',
)
TRACK = (
    'track.track("5", "purchase", {"price": 13.99})',
    'log.info("purchase", cio_customer="5", price=13.99)',
)
TRACK_ANONYMOUS = (
    'track.track_anonymous("a1", "visit", {"page": "/"})',
    'log.info("visit", cio="track", cio_anonymous="a1", page="/")',
)
INVITE = (
    'track.track_anonymous(None, "invite", {"recipient": "alex@example.com"})',
    'log.info("invite", cio="track", cio_anonymous="", recipient="alex@example.com")',
)
DELETE = ('track.delete("5")', 'log.info("goodbye", cio=Delete("5"))')
ADD_DEVICE = (
    'track.add_device("5", "token", "ios", {"last_used": 1700000000, "app": "2.0"})',
    (
        'log.info("device", cio="add_device", cio_customer="5", cio_device="token", '
        'cio_platform="ios", last_used=1700000000, app="2.0")'
    ),
)
DELETE_DEVICE = (
    'track.delete_device("5", "token")',
    'log.info("logout", cio="delete_device", cio_customer="5", cio_device="token")',
)
MERGE = (
    'track.merge_customers("5", Identifier("a@b.c", "email"))',
    'log.info("merged", cio=Merge("5", Identifier("a@b.c", "email")))',
)
SEND_EMAIL = (
    (
        'app.send_email(SendEmail(to="lucy@example.com", transactional_message_id=3, '
        'identifiers="5", message_data={"order": 7}))'
    ),
    (
        'log.info("receipt", cio=SendEmail(to="lucy@example.com", transactional_message_id=3, '
        'identifiers="5", message_data={"order": 7}))'
    ),
)
SEND_PUSH = (
    'app.send_push(SendPush(transactional_message_id=3, identifiers="5", title="On its way"))',
    (
        'log.info("shipped", cio=SendPush(transactional_message_id=3, identifiers="5", '
        'title="On its way"))'
    ),
)
ATTACH = (
    (
        'message = SendEmail(to="lucy@example.com", transactional_message_id=3, identifiers="5"); '
        'message.attach("a.txt", "hi"); app.send_email(message)'
    ),
    'log.info("receipt", cio=message)',
)

_IDENTIFY_NOTE = "In the log, `_timestamp` says when it was so."
_EVENT_NOTE = "The event has an `id`, a ULID, so that Customer.io counts it once."
_RECEIPT_NOTE = (
    "A `Receipt` comes back, in the log with `signals.sent`. In the background it is sent at most "
    "once."
)

GO = [
    Row(
        "`NewTrackClient`, `NewCustomerIO`",
        'TrackClient("site", "key")',
        'configure(site_id="site", api_key="key")',
        "Credentials are standard Base64 in UTF-8, not the URL-safe alphabet.",
    ),
    Row("`NewAPIClient`", 'AppClient("app key")', 'configure(app_api_key="app key")'),
    Row(
        "`WithRegion(RegionEU)`",
        'TrackClient("site", "key", region="eu")',
        'configure(site_id="site", api_key="key", region="eu")',
        "Redirects are not followed: a followed 301 loses the call.",
    ),
    Row(
        "`WithHTTPClient`",
        'TrackClient("site", "key", session=session)',
        'configure(site_id="site", api_key="key", session=session)',
        "A `requests.Session`.",
    ),
    Row(
        "`WithUserAgent`",
        'TrackClient("site", "key", user_agent="shop/1.0")',
        'configure(site_id="site", api_key="key", user_agent="shop/1.0")',
        "On deletes too.",
    ),
    Row("`Identify`", *IDENTIFY, _IDENTIFY_NOTE, Sent("PUT", _customer(), _PLAN)),
    Row("`Track`", *TRACK, _EVENT_NOTE, _PURCHASE),
    Row("`TrackAnonymous`", *TRACK_ANONYMOUS, _EVENT_NOTE, _VISIT),
    Row('`TrackAnonymous` with `""`', *INVITE, "It must have a `recipient`.", _INVITE),
    Row("`Delete`", *DELETE, request=Sent("DELETE", _customer())),
    Row(
        "`AddDevice`",
        *ADD_DEVICE,
        "`last_used` is a number, not a text.",
        Sent(
            "PUT",
            _DEVICES,
            {"device": {**_DEVICE, "last_used": "1700000000", "attributes": {"app": "2.0"}}},
        ),
        _OUR_DEVICE,
    ),
    Row("`DeleteDevice`", *DELETE_DEVICE, request=Sent("DELETE", (*_DEVICES, "token"))),
    Row("`MergeCustomers`", *MERGE, request=_MERGED),
    Row(
        "`IdentifyCtx`, `TrackCtx`, `TrackAnonymousCtx`, `DeleteCtx`, `AddDeviceCtx`, "
        "`DeleteDeviceCtx`, `MergeCustomersCtx`",
        'track.delete("5", timeout=0.5)',
        "",
        "Every verb takes `timeout`, also those that delete; `deadline(seconds)` bounds all "
        "calls in a block.",
    ),
    Row(
        "`SendEmail`",
        *SEND_EMAIL,
        _RECEIPT_NOTE,
        _GO_EMAIL,
        _EMAIL,
    ),
    Row(
        "`SendEmailRequest.Attach`",
        *ATTACH,
        "Takes bytes, text, paths and files; `AttachmentExistsError` for a name used twice.",
        _message(
            "email",
            to="lucy@example.com",
            transactional_message_id="3",
            attachments={"a.txt": "aGk="},
        ),
        _ATTACHED,
    ),
    Row(
        "`SendPush`",
        *SEND_PUSH,
        _RECEIPT_NOTE,
        _message("push", transactional_message_id="3", title="On its way"),
        _PUSH,
    ),
    Row(
        "`NewDevice`",
        'app.send_push(SendPush(transactional_message_id=3, identifiers="5", '
        'custom_device=Device("token", "ios")))',
        'log.info("shipped", cio=SendPush(transactional_message_id=3, identifiers="5", '
        'custom_device=Device("token", "ios")))',
        "No `attributes` instead of null.",
        _message(
            "push",
            transactional_message_id="3",
            custom_device={"token": "token", "platform": "ios", "attributes": None},
        ),
        _message("push", custom_device={"token": "token", "platform": "ios"}),
    ),
    Row(
        "`CustomerIOError`",
        "except APIError as error: error.status, error.url, error.body",
        "@signals.failed.connect",
        "Any 2xx is success, not 200 alone. The text has nothing personal.",
    ),
    Row(
        "`TransactionalError`",
        "except TransactionalError as error: error.status, error.message",
        "@signals.failed.connect",
        "`meta.errors` is understood as well as `meta.error`.",
    ),
    Row(
        "`ParamError`",
        "except ParamError as error: error.param",
        "@signals.failed.connect",
        "Also for what is blank, too long, or `.` or `..`.",
    ),
]

PYTHON = [
    Row(
        'CustomerIO("site", "key")',
        'TrackClient("site", "key")',
        'configure(site_id="site", api_key="key")',
        "`host`, `port` and `url_prefix` are one `url`. No `retries`: in the log calls are "
        "retried, and now an error is raised.",
    ),
    Row(
        'CustomerIO("site", "key", region=Regions.EU)',
        'TrackClient("site", "key", region="eu")',
        'configure(site_id="site", api_key="key", region="eu")',
        "Redirects are not followed.",
    ),
    Row('cio.identify("5", plan="basic")', *IDENTIFY, "", Sent("PUT", _customer(), _PLAN)),
    Row('cio.track("5", "purchase", {"price": 13.99})', *TRACK, _EVENT_NOTE, _PURCHASE),
    Row(
        'cio.track_anonymous("a1", "visit", {"page": "/"})',
        *TRACK_ANONYMOUS,
        _EVENT_NOTE,
        _VISIT,
    ),
    Row(
        'cio.track_anonymous(None, "invite", {"recipient": "alex@example.com"})',
        *INVITE,
        "It must have a `recipient`.",
        _INVITE,
    ),
    Row(
        'cio.pageview("5", "/pricing", ref="ad")',
        'track.track("5", "/pricing", {"ref": "ad"}, type="page")',
        'log.info("/pricing", cio="page", cio_customer="5", ref="ad")',
        'There is also `"screen"`.',
        Sent("POST", _EVENTS, {"type": "page", "name": "/pricing", "data": {"ref": "ad"}}),
    ),
    Row(
        'cio.backfill("5", "purchase", 1700000000, price=13.99)',
        'track.track("5", "purchase", {"price": 13.99}, timestamp=1700000000)',
        'log.info("purchase", cio_customer="5", price=13.99, cio_timestamp=1700000000)',
        "Aware datetimes of any zone; milliseconds are recognised.",
        Sent("POST", _EVENTS, {"name": "purchase", "data": _SOCKS, "timestamp": 1700000000}),
    ),
    Row(
        'cio.delete("5")',
        *DELETE,
        "No body.",
        Sent("DELETE", _customer(), {}),
        Sent("DELETE", _customer()),
    ),
    Row(
        'cio.add_device("5", "token", "ios", last_used=1700000000, app="2.0")',
        *ADD_DEVICE,
        "All but `last_used` are the device's `attributes`, where Customer.io looks for them.",
        Sent(
            "PUT",
            _DEVICES,
            {"device": {**_DEVICE, "last_used": 1700000000, "app": "2.0"}},
        ),
        _OUR_DEVICE,
    ),
    Row(
        'cio.delete_device("5", "token")',
        *DELETE_DEVICE,
        "No body.",
        Sent("DELETE", (*_DEVICES, "token"), {}),
        Sent("DELETE", (*_DEVICES, "token")),
    ),
    Row(
        'cio.suppress("5")',
        'track.suppress("5")',
        'log.info("banned", cio=Suppress("5"))',
        "No body.",
        Sent("POST", _customer("suppress"), {}),
        Sent("POST", _customer("suppress")),
    ),
    Row(
        'cio.unsuppress("5")',
        'track.unsuppress("5")',
        'log.info("back", cio=Unsuppress("5"))',
        "No body.",
        Sent("POST", _customer("unsuppress"), {}),
        Sent("POST", _customer("unsuppress")),
    ),
    Row('cio.merge_customers("id", "5", "email", "a@b.c")', *MERGE, "", _MERGED),
    Row(
        'cio.batch([{"type": "person", "action": "event", "identifiers": {"id": "5"}, '
        '"name": "purchase", "attributes": {"price": 13.99}}])',
        'track.batch([Track("5", "purchase", {"price": 13.99})])',
        TRACK[1],
        "The calls that were refused come back. In the log, batches are made by themselves.",
        Sent(
            "POST",
            ("api", "v2", "batch"),
            {
                "batch": [
                    {
                        "type": "person",
                        "action": "event",
                        "identifiers": {"id": "5"},
                        "name": "purchase",
                        "attributes": _SOCKS,
                    }
                ]
            },
        ),
    ),
    Row("cio.close()", "track.close()", "pipeline.close()", "Both are context managers too."),
    Row('APIClient("app key")', 'AppClient("app key")', 'configure(app_api_key="app key")'),
    Row(
        'api.send_email(SendEmailRequest(to="lucy@example.com", transactional_message_id=3, '
        'identifiers={"id": "5"}, message_data={"order": 7}))',
        *SEND_EMAIL,
        _RECEIPT_NOTE + " `_from` is `from_`.",
        _EMAIL,
    ),
    Row(
        'request = SendEmailRequest(to="lucy@example.com", transactional_message_id=3, '
        'identifiers={"id": "5"}); request.attach("a.txt", "hi"); api.send_email(request)',
        *ATTACH,
        "Also paths and files; over 2 MB it is refused.",
        _ATTACHED,
    ),
    Row(
        "api.send_push(SendPushRequest(transactional_message_id=3, "
        'identifiers={"id": "5"}, title="On its way"))',
        *SEND_PUSH,
        _RECEIPT_NOTE + " `device` is `custom_device`.",
        _PUSH,
    ),
]

for _kind, _name in (
    ("sms", "SendSMS"),
    ("whatsapp", "SendWhatsApp"),
    ("inbox_message", "SendInboxMessage"),
    ("in_app", "SendInApp"),
):
    _to = 'to="+15551234567", ' if _kind in ("sms", "whatsapp") else ""
    PYTHON.append(
        Row(
            f"api.send_{_kind}({_name}Request({_to}transactional_message_id=3, "
            'identifiers={"id": "5"}))',
            f'app.send_{_kind}({_name}({_to}transactional_message_id=3, identifiers="5"))',
            f'log.info("news", cio={_name}({_to}transactional_message_id=3, identifiers="5"))',
            _RECEIPT_NOTE,
            _message(_kind, **({"to": "+15551234567"} if _to else {})),
        )
    )

# Which page has which table.
PAGES = {
    "migrating/go-customerio.md": GO,
    "migrating/customerio.md": PYTHON,
}


def markdown(rows: list[Row]) -> str:
    """
    The table of these rows.
    """
    lines = ["| there | here, now | here, in the log | |", "|---|---|---|---|"]
    for row in rows:
        theirs = row.theirs if row.theirs.startswith("`") else f"`{row.theirs}`"
        cells = (theirs, *(f"`{code}`" if code else "" for code in (row.now, row.log)), row.note)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name, rows_of_page in PAGES.items():
        file = DOCS / name
        file.write_text(
            with_table(file.read_text(encoding="utf-8"), markdown(rows_of_page)), encoding="utf-8"
        )
