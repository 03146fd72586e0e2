"""The settings: missing, misplaced or misspelt; and which came from where, never its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from cio_events._http.endpoint import app_url, track_url
from cio_events._http.loopback import bound, is_loopback
from cio_events._process.diagnostics import shown
from cio_events._sources.setup.obstacles import has_way_in
from cio_events.doctor import stage
from cio_events.doctor.finding import Finding
from cio_events.doctor.set_up import SetUp
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.errors import ParamError
from cio_events.options import ROWS, variables

_OF_TRACK = ("site_id", "api_key")
_SECRETS = (*_OF_TRACK, "app_api_key")
_URLS = ("track_url", "app_url")

# What Customer.io makes: 20 characters for the Track API, 32 for the App API.
_TRACK_KEY = re.compile(r"[0-9a-f]{20}")
_APP_KEY = re.compile(r"[0-9a-f]{32}")

# What documents and examples have in the place of a key.
_PLACEHOLDER = re.compile(
    r"sandbox|test|site|key|app-key|changeme|change-me|secret|xxx+|\.\.\.|\u2026|<.*>|your[-_ ].*",
    re.IGNORECASE,
)

_QUOTES = "\"'`\u201c\u201d\u2018\u2019"

# Settings whose value says nothing of anybody: words of a closed list, numbers and switches.
_MAY_BE_SHOWN = frozenset(
    {"region", "api", "on_full", "id_type", "payload", "strict", "debug", "enabled"}
    | {"timeout", "flush_interval", "max_pending", "max_pending_bytes", "max_age", "exit_timeout"}
    | {"retry_base", "retry_cap", "hold_interval", "relay_ack", "relay_bytes"}
    | {"relay_partitions", "relay_replicas"}
)


def look(subject: Subject) -> Iterator[Finding]:
    """Look at the settings of each pipeline, and at the environment."""
    environ = subject.environ
    findings: dict[tuple[str, str], Finding] = {}
    for set_up in subject.set_ups:
        for finding in _of_one(set_up, environ):
            findings.setdefault((finding.id, finding.title), finding)
    yield from findings.values()
    yield from _of_people(subject)
    yield from _of_variables(environ)
    if bound():
        yield found("W112")
    if not findings:
        where = "\n".join(f"{one}" for one in _sources(subject.set_ups[0], environ))
        yield found("I100", where)


def _of_one(one: SetUp, environ: Mapping[str, str]) -> Iterator[Finding]:
    problem = one.problem
    if problem is not None:
        yield found("E102", setting=shown(problem.param), problem=problem.message)
    unreadable = None if problem is None else problem.param.removeprefix("CIO_").lower()
    options = one.options
    if not options.enabled:
        yield found("W111", setting=one.setting("enabled", environ))
    has_track = options.site_id is not None or options.api_key is not None
    # With a relay, the keys are the relay's.
    if options.relay is None and (has_track or options.app_api_key is None):
        missing = [
            f"CIO_{name.upper()}"
            for name in _OF_TRACK
            if getattr(options, name) is None and name != unreadable
        ]
        if missing:
            yield found("E101", setting=" and ".join(missing), tab="Track")
    for name in _SECRETS:
        value = getattr(options, name)
        if value is not None:
            yield from _of_secret(name, value, one.setting(name, environ))
    yield from _of_urls(one, environ)
    yield from _of_stage(one, environ)


def _of_secret(name: str, value: str, setting: str) -> Iterator[Finding]:
    bare = value.strip().strip(_QUOTES).strip()
    if bare != value:
        quoted = any(quote in value for quote in _QUOTES)
        blank = value.strip() != value or value.strip().strip(_QUOTES) != bare
        what = " and ".join(["quotes"] * quoted + ["blanks"] * blank)
        yield found("E103", setting=setting, what=what)
    if name in _OF_TRACK and _APP_KEY.fullmatch(bare):
        yield found("E104", setting=setting, tab="Track")
    if name == "app_api_key" and _TRACK_KEY.fullmatch(bare):
        yield found("E105", setting=setting, tab="App")


def _of_urls(one: SetUp, environ: Mapping[str, str]) -> Iterator[Finding]:
    options = one.options
    for name, read in zip(_URLS, (track_url, app_url), strict=True):
        url = getattr(options, name)
        if url is None:
            continue
        setting = one.setting(name, environ)
        try:
            host = urlsplit(read("us", url)).hostname or ""
        except ParamError as error:
            yield found("E102", setting=setting, problem=error.message)
            continue
        if not is_loopback(host):
            if url.startswith("http://"):
                yield found("W113", setting=setting)
            continue
        evidence = stage.production(environ)
        keys = (options.app_api_key,) if name == "app_url" else (options.site_id, options.api_key)
        if evidence:
            yield found("E106", setting=setting, evidence=evidence)
        elif any(key and (_TRACK_KEY.fullmatch(key) or _APP_KEY.fullmatch(key)) for key in keys):
            yield found("W108", setting=setting)
    here = [_is_here(getattr(options, name)) for name in _URLS]
    if here == [True, False] and options.app_api_key and not options.app_url:
        yield found("E115", has="people", needs="messages", other="CIO_APP_URL", setting=_URLS[0])
    if here == [False, True] and options.site_id and not options.track_url:
        yield found(
            "E115", has="messages", needs="people", other="CIO_TRACK_URL", setting=_URLS[1]
        )


def _of_stage(one: SetUp, environ: Mapping[str, str]) -> Iterator[Finding]:
    options = one.options
    if options.track_url is None and options.site_id and options.api_key:
        made_up = [
            one.setting(name, environ)
            for name in _OF_TRACK
            if _PLACEHOLDER.fullmatch(getattr(options, name))
        ]
        if made_up:
            yield found("E109", setting=" and ".join(made_up), tab="Track")
        evidence = stage.development(environ)
        if evidence and options.enabled and not bound():
            yield found("W107", evidence=evidence)
    if options.strict and (evidence := stage.production(environ)):
        yield found("W114", setting=one.setting("strict", environ), evidence=evidence)


def _of_people(subject: Subject) -> Iterator[Finding]:
    """Lines that can be events, where there are credentials for messages alone."""
    options = subject.set_ups[0].options
    if options.relay is not None or options.site_id or options.api_key or not options.app_api_key:
        return
    if subject.has_application and has_way_in():
        yield found("W116")


def _of_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = variables()
    for variable in sorted(environ):
        if not variable.startswith(("CIO_", "CUSTOMERIO_", "CUSTOMER_IO_")) or variable in known:
            continue
        own = variable.partition("CIO_")[2] if variable.startswith("CIO_") else ""
        if own.lower() in ROWS:
            advice = f"Give the option {own.lower()} in code; it is not read from the environment."
        else:
            wanted = re.sub("^CUSTOMER_?IO_", "CIO_", variable)
            near = get_close_matches(wanted, known, n=1)
            if not variable.startswith("CIO_") and (not near or environ.get(near[0])):
                continue  # another client's
            advice = f"Is it {near[0]}?" if near else "Take it away, or see the page of options."
        yield found("W110", variable=shown(variable), advice=advice)


def _sources(one: SetUp, environ: Mapping[str, str]) -> Iterator[str]:
    for name in ROWS:
        source = one.source_of(name, environ)
        if source != "default":
            value = getattr(one.options, name)
            shows = f"{name} = {value}" if name in _MAY_BE_SHOWN else name
            yield f"{shows}, from {source}"


def _is_here(url: str | None) -> bool:
    try:
        return url is not None and is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
