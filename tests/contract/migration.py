"""
The migration tables of the documentation: each function of the vendor's clients, and ours for it.

`tests.contract.migration_pages` writes them into their pages, `tests.contract.test_migration`
shows that they are true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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


def customer(*more: str) -> tuple[str, ...]:
    """The path of a customer, or below it."""
    return ("api", "v1", "customers", "5", *more)


EVENTS = customer("events")
_ANONYMOUS = ("api", "v1", "events")
DEVICES = customer("devices")
_MERGE = ("api", "v1", "merge_customers")
PLAN = {"plan": "basic"}
SOCKS = {"price": 13.99}
MERGED = Sent("POST", _MERGE, {"primary": {"id": "5"}, "secondary": {"email": "a@b.c"}})
PURCHASE = Sent("POST", EVENTS, {"name": "purchase", "data": SOCKS})
VISIT = Sent("POST", _ANONYMOUS, {"anonymous_id": "a1", "name": "visit", "data": {"page": "/"}})
_RECIPIENT = {"recipient": "alex@example.com"}
INVITATION = Sent("POST", _ANONYMOUS, {"name": "invite", "data": _RECIPIENT})
_DEVICE = {"id": "token", "platform": "ios"}
OUR_DEVICE = Sent(
    "PUT",
    DEVICES,
    {"device": {**_DEVICE, "last_used": 1700000000, "attributes": {"app": "2.0"}}},
)


def message(kind: str, **fields: Any) -> Sent:
    """The request that sends a message of that kind."""
    body = {"identifiers": {"id": "5"}, "transactional_message_id": 3, **fields}
    return Sent("POST", ("v1", "send", kind), body)


EMAIL = message("email", to="lucy@example.com", message_data={"order": 7})
_GO_EMAIL = message(
    "email", to="lucy@example.com", message_data={"order": 7}, transactional_message_id="3"
)
PUSH = message("push", title="On its way")
ATTACHED = message("email", to="lucy@example.com", attachments={"a.txt": "aGk="})

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

IDENTIFY_NOTE = "In the log, `_timestamp` says when it was so."
EVENT_NOTE = "The event has an `id`, a ULID, so that Customer.io counts it once."
RECEIPT_NOTE = (
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
    Row("`Identify`", *IDENTIFY, IDENTIFY_NOTE, Sent("PUT", customer(), PLAN)),
    Row("`Track`", *TRACK, EVENT_NOTE, PURCHASE),
    Row("`TrackAnonymous`", *TRACK_ANONYMOUS, EVENT_NOTE, VISIT),
    Row('`TrackAnonymous` with `""`', *INVITE, "It must have a `recipient`.", INVITATION),
    Row("`Delete`", *DELETE, request=Sent("DELETE", customer())),
    Row(
        "`AddDevice`",
        *ADD_DEVICE,
        "`last_used` is a number, not a text.",
        Sent(
            "PUT",
            DEVICES,
            {"device": {**_DEVICE, "last_used": "1700000000", "attributes": {"app": "2.0"}}},
        ),
        OUR_DEVICE,
    ),
    Row("`DeleteDevice`", *DELETE_DEVICE, request=Sent("DELETE", (*DEVICES, "token"))),
    Row("`MergeCustomers`", *MERGE, request=MERGED),
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
        RECEIPT_NOTE,
        _GO_EMAIL,
        EMAIL,
    ),
    Row(
        "`SendEmailRequest.Attach`",
        *ATTACH,
        "Takes bytes, text, paths and files; `AttachmentExistsError` for a name used twice.",
        message(
            "email",
            to="lucy@example.com",
            transactional_message_id="3",
            attachments={"a.txt": "aGk="},
        ),
        ATTACHED,
    ),
    Row(
        "`SendPush`",
        *SEND_PUSH,
        RECEIPT_NOTE,
        message("push", transactional_message_id="3", title="On its way"),
        PUSH,
    ),
    Row(
        "`NewDevice`",
        'app.send_push(SendPush(transactional_message_id=3, identifiers="5", '
        'custom_device=Device("token", "ios")))',
        'log.info("shipped", cio=SendPush(transactional_message_id=3, identifiers="5", '
        'custom_device=Device("token", "ios")))',
        "No `attributes` instead of null.",
        message(
            "push",
            transactional_message_id="3",
            custom_device={"token": "token", "platform": "ios", "attributes": None},
        ),
        message("push", custom_device={"token": "token", "platform": "ios"}),
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
    Row('cio.identify("5", plan="basic")', *IDENTIFY, "", Sent("PUT", customer(), PLAN)),
    Row('cio.track("5", "purchase", {"price": 13.99})', *TRACK, EVENT_NOTE, PURCHASE),
    Row(
        'cio.track_anonymous("a1", "visit", {"page": "/"})',
        *TRACK_ANONYMOUS,
        EVENT_NOTE,
        VISIT,
    ),
    Row(
        'cio.track_anonymous(None, "invite", {"recipient": "alex@example.com"})',
        *INVITE,
        "It must have a `recipient`.",
        INVITATION,
    ),
    Row(
        'cio.pageview("5", "/pricing", ref="ad")',
        'track.track("5", "/pricing", {"ref": "ad"}, type="page")',
        'log.info("/pricing", cio="page", cio_customer="5", ref="ad")',
        'There is also `"screen"`.',
        Sent("POST", EVENTS, {"type": "page", "name": "/pricing", "data": {"ref": "ad"}}),
    ),
    Row(
        'cio.backfill("5", "purchase", 1700000000, price=13.99)',
        'track.track("5", "purchase", {"price": 13.99}, timestamp=1700000000)',
        'log.info("purchase", cio_customer="5", price=13.99, cio_timestamp=1700000000)',
        "Aware datetimes of any zone; milliseconds are recognised.",
        Sent("POST", EVENTS, {"name": "purchase", "data": SOCKS, "timestamp": 1700000000}),
    ),
    Row(
        'cio.delete("5")',
        *DELETE,
        "No body.",
        Sent("DELETE", customer(), {}),
        Sent("DELETE", customer()),
    ),
    Row(
        'cio.add_device("5", "token", "ios", last_used=1700000000, app="2.0")',
        *ADD_DEVICE,
        "All but `last_used` are the device's `attributes`, where Customer.io looks for them.",
        Sent(
            "PUT",
            DEVICES,
            {"device": {**_DEVICE, "last_used": 1700000000, "app": "2.0"}},
        ),
        OUR_DEVICE,
    ),
    Row(
        'cio.delete_device("5", "token")',
        *DELETE_DEVICE,
        "No body.",
        Sent("DELETE", (*DEVICES, "token"), {}),
        Sent("DELETE", (*DEVICES, "token")),
    ),
    Row(
        'cio.suppress("5")',
        'track.suppress("5")',
        'log.info("banned", cio=Suppress("5"))',
        "No body.",
        Sent("POST", customer("suppress"), {}),
        Sent("POST", customer("suppress")),
    ),
    Row(
        'cio.unsuppress("5")',
        'track.unsuppress("5")',
        'log.info("back", cio=Unsuppress("5"))',
        "No body.",
        Sent("POST", customer("unsuppress"), {}),
        Sent("POST", customer("unsuppress")),
    ),
    Row('cio.merge_customers("id", "5", "email", "a@b.c")', *MERGE, "", MERGED),
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
                        "attributes": SOCKS,
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
        RECEIPT_NOTE + " `_from` is `from_`.",
        EMAIL,
    ),
    Row(
        'request = SendEmailRequest(to="lucy@example.com", transactional_message_id=3, '
        'identifiers={"id": "5"}); request.attach("a.txt", "hi"); api.send_email(request)',
        *ATTACH,
        "Also paths and files; over 2 MB it is refused.",
        ATTACHED,
    ),
    Row(
        "api.send_push(SendPushRequest(transactional_message_id=3, "
        'identifiers={"id": "5"}, title="On its way"))',
        *SEND_PUSH,
        RECEIPT_NOTE + " `device` is `custom_device`.",
        PUSH,
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
            RECEIPT_NOTE,
            message(_kind, **({"to": "+15551234567"} if _to else {})),
        )
    )


def markdown(rows: list[Row]) -> str:
    """The table of these rows."""
    lines = ["| there | here, now | here, in the log | |", "|---|---|---|---|"]
    for row in rows:
        theirs = row.theirs if row.theirs.startswith("`") else f"`{row.theirs}`"
        cells = (theirs, *(f"`{code}`" if code else "" for code in (row.now, row.log)), row.note)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
