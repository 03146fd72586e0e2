"""Whether Customer.io knows the credentials, and if there is no answer, what is in the way."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cio_events._http.endpoint import TRACK_URLS
from cio_events._http.loopback import bound, is_loopback
from cio_events.doctor.finding import Finding
from cio_events.doctor.network import SECONDS, Asked, Reply, shown_host
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found

_DNS = "the name cannot be looked up: "
_PROXY = "at the proxy: "
_CERTIFICATE = ("certificate", "self-signed", "self signed", "hostname mismatch")

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


def look(subject: Subject) -> Iterator[Finding]:
    """Ask, and tell what came of it."""
    if not subject.network:
        yield found("S201")
        return
    if not subject.answers:
        yield found("S202")
        return
    if bound():
        yield found("S203")
        return
    for asked in subject.answers.wait():
        yield _judged(asked, subject)


def _judged(asked: Asked, subject: Subject) -> Finding:
    options, reply = asked.options, asked.first
    region = options.region
    if reply is None:
        return found("E211", host=_host(asked), seconds=SECONDS)
    if reply.status is None:
        return _unanswered(reply)
    if reply.is_page:
        return found("E208", host=reply.host)
    if reply.status == 200 and reply.region is not None:
        if options.track_url is None and reply.region != region:
            return found("E204", region=reply.region, asked=region)
        if options.track_url is not None and is_loopback(reply.host):
            return found("I215", host=reply.host)
        return found("I200", region=reply.region, where=reply.host)
    if 300 <= reply.status < 400 and options.track_url is None:
        return found("E204", region="eu" if region == "us" else "us", asked=region)
    if reply.status == 401:
        other = asked.other
        if other is not None and other.status == 200 and other.region is not None:
            return found("E204", region=other.region, asked=region)
        both = other is not None and other.status == 401
        where = "in neither region" if both else f'where it was asked ("{region}")'
        return found("E205", asked=where if options.track_url is None else f"at {reply.host}")
    if reply.status == 407:
        return found("E206", cause="it wants credentials (407)", **_proxy(reply))
    if reply.status == 403:
        return found("E214", host=reply.host)
    if reply.status in (408, 425, 429) or reply.status >= 500:
        return found("W212", host=reply.host, status=reply.status)
    setting = "track_url" if options.track_url is not None else "a proxy on the way"
    if options.track_url is not None:
        setting = next(
            (
                one.setting("track_url", subject.environ)
                for one in subject.set_ups
                if one.options.track_url == options.track_url
            ),
            setting,
        )
    return found("E213", host=reply.host, status=reply.status, setting=setting)


def _unanswered(reply: Reply) -> Finding:
    cause = reply.cause
    if cause.startswith(_PROXY):
        return found("E206", cause=cause.removeprefix(_PROXY), **_proxy(reply))
    if cause.startswith(_DNS):
        return found("E209", host=reply.host, cause=cause.removeprefix(_DNS))
    if cause.startswith("timeout"):
        return found("E211", host=reply.host, seconds=SECONDS)
    if any(word in cause.lower() for word in _CERTIFICATE):
        return found("E207", host=reply.host, cause=cause)
    advice = f"Allow outgoing connections to {reply.host}, port 443."
    if is_loopback(reply.host):
        advice = "Start what is to listen there, such as `cio-events sandbox`."
    return found("E210", host=reply.host, cause=cause, advice=advice)


def _proxy(reply: Reply) -> dict[str, str]:
    variable = next((name for name in _PROXIES if os.environ.get(name)), "the session's proxies")
    return {"proxy": variable, "host": reply.host}


def _host(asked: Asked) -> str:
    return shown_host(asked.options.track_url or TRACK_URLS[asked.options.region])
