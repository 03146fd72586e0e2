"""The migration table of the vendor's Node client, as far as it tracks, identifies and sends."""

from __future__ import annotations

from tests.contract import migration as m
from tests.contract.migration import Row, Sent

_NO_BODY = "No body."

NODE = [
    Row(
        'new TrackClient("site", "key")',
        'TrackClient("site", "key")',
        'configure(site_id="site", api_key="key")',
        "In the log calls are retried; now an error is raised, where theirs rejects a promise.",
    ),
    Row(
        'new TrackClient("site", "key", {region: RegionEU})',
        'TrackClient("site", "key", region="eu")',
        'configure(site_id="site", api_key="key", region="eu")',
        "Redirects are not followed.",
    ),
    Row('new APIClient("app key")', 'AppClient("app key")', 'configure(app_api_key="app key")'),
    Row(
        'cio.identify("5", {plan: "basic"})',
        *m.IDENTIFY,
        m.IDENTIFY_NOTE,
        Sent("PUT", m.customer(), m.PLAN),
    ),
    Row(
        'cio.track("5", {name: "purchase", data: {price: 13.99}})',
        *m.TRACK,
        m.EVENT_NOTE,
        m.PURCHASE,
    ),
    Row(
        'cio.track("5", {name: "purchase", data: {price: 13.99}, timestamp: 1700000000})',
        'track.track("5", "purchase", {"price": 13.99}, timestamp=1700000000)',
        'log.info("purchase", cio_customer="5", price=13.99, cio_timestamp=1700000000)',
        "Aware datetimes of any zone; milliseconds are recognised.",
        Sent("POST", m.EVENTS, {"name": "purchase", "data": m.SOCKS, "timestamp": 1700000000}),
    ),
    Row(
        'cio.trackAnonymous("a1", {name: "visit", data: {page: "/"}})',
        *m.TRACK_ANONYMOUS,
        m.EVENT_NOTE,
        m.VISIT,
    ),
    Row(
        'cio.trackAnonymous("", {name: "invite", data: {recipient: "alex@example.com"}})',
        *m.INVITE,
        "It must have a `recipient`.",
        m.INVITATION,
    ),
    Row(
        'cio.trackPageView("5", "/pricing")',
        'track.track("5", "/pricing", type="page")',
        'log.info("/pricing", cio="page", cio_customer="5")',
        'It can have data, and there is also `"screen"`.',
        Sent("POST", m.EVENTS, {"type": "page", "name": "/pricing"}),
        Sent("POST", m.EVENTS, {"type": "page", "name": "/pricing", "data": {}}),
    ),
    Row('cio.destroy("5")', *m.DELETE, "", Sent("DELETE", m.customer())),
    Row(
        'cio.addDevice("5", "token", "ios", {last_used: 1700000000, app: "2.0"})',
        *m.ADD_DEVICE,
        "",
        m.OUR_DEVICE,
    ),
    Row(
        'cio.deleteDevice("5", "token")',
        *m.DELETE_DEVICE,
        "",
        Sent("DELETE", (*m.DEVICES, "token")),
    ),
    Row(
        'cio.suppress("5")',
        'track.suppress("5")',
        'log.info("banned", cio=Suppress("5"))',
        _NO_BODY,
        Sent("POST", m.customer("suppress"), {}),
        Sent("POST", m.customer("suppress")),
    ),
    Row(
        'cio.unsuppress("5")',
        'track.unsuppress("5")',
        'log.info("back", cio=Unsuppress("5"))',
        _NO_BODY,
        Sent("POST", m.customer("unsuppress"), {}),
        Sent("POST", m.customer("unsuppress")),
    ),
    Row(
        'cio.mergeCustomers(IdentifierType.Id, "5", IdentifierType.Email, "a@b.c")',
        *m.MERGE,
        "",
        m.MERGED,
    ),
    Row(
        'cio.trackPush({delivery_id: "d1", event: "opened", device_id: "token", '
        "timestamp: 1700000000})",
        'track.report_metric("d1", "opened", recipient="token", timestamp=1700000000)',
        'log.info("opened", cio=ReportMetric("d1", "opened", recipient="token", '
        "timestamp=1700000000))",
        "Customer.io's newer address for metrics, of all channels.",
        Sent(
            "POST",
            ("api", "v1", "push", "events"),
            {
                "delivery_id": "d1",
                "event": "opened",
                "device_id": "token",
                "timestamp": 1700000000,
            },
        ),
        Sent(
            "POST",
            ("api", "v1", "metrics"),
            {
                "delivery_id": "d1",
                "metric": "opened",
                "recipient": "token",
                "timestamp": 1700000000,
            },
        ),
    ),
    Row(
        'api.sendEmail(new SendEmailRequest({to: "lucy@example.com", transactional_message_id: 3, '
        'identifiers: {id: "5"}, message_data: {order: 7}}))',
        *m.SEND_EMAIL,
        m.RECEIPT_NOTE + " No empty `attachments` and `headers`.",
        m.message(
            "email",
            to="lucy@example.com",
            message_data={"order": 7},
            attachments={},
            headers={},
        ),
        m.EMAIL,
    ),
    Row(
        'request = new SendEmailRequest({to: "lucy@example.com", transactional_message_id: 3, '
        'identifiers: {id: "5"}}); request.attach("a.txt", Buffer.from("hi")); '
        "api.sendEmail(request)",
        *m.ATTACH,
        "Also paths and files; over 2 MB it is refused.",
        m.message("email", to="lucy@example.com", attachments={"a.txt": "aGk="}, headers={}),
        m.ATTACHED,
    ),
    Row(
        "api.sendPush(new SendPushRequest({transactional_message_id: 3, "
        'identifiers: {id: "5"}, title: "On its way"}))',
        *m.SEND_PUSH,
        m.RECEIPT_NOTE,
        m.PUSH,
    ),
]

for _kind, _name in (
    ("sms", "SendSMS"),
    ("inbox_message", "SendInboxMessage"),
    ("in_app", "SendInApp"),
):
    _to = "+15551234567" if _kind == "sms" else ""
    _theirs = f', to: "{_to}"' if _to else ""
    _ours = f'to="{_to}", ' if _to else ""
    NODE.append(
        Row(
            f"api.{_name[0].lower()}{_name[1:]}(new {_name}Request({{transactional_message_id: 3, "
            f'identifiers: {{id: "5"}}{_theirs}}}))',
            f'app.send_{_kind}({_name}({_ours}transactional_message_id=3, identifiers="5"))',
            f'log.info("news", cio={_name}({_ours}transactional_message_id=3, identifiers="5"))',
            m.RECEIPT_NOTE,
            m.message(_kind, **({"to": _to} if _to else {})),
        )
    )
NODE.append(
    Row(
        "catch (error) { error.statusCode, error.message }",
        "except APIError as error: error.status, error.body",
        "@signals.failed.connect",
        "A message's error is a `TransactionalError`. The text has nothing personal.",
    )
)
