"""The findings about the application, versions, settings, credentials and the clock."""

from __future__ import annotations

from cio_events.doctor.finding import Row

_KEYS = (
    "Copy it from Customer.io: Settings, Account Settings, API Credentials; the tab {tab} API "
    "Keys."
)

ROWS: dict[str, Row] = {
    # The doctor itself, the application, and versions.
    "E001": Row(
        "doctor",
        "The check {check} could not be finished: it raised {error}",
        "Something in this process is set up in a way that the check does not know. The other "
        "checks are not affected.",
        "Run `cio-events doctor --report` and open an issue with what it prints.",
    ),
    "S002": Row("doctor", "There is no application to look at (--app or --django)"),
    "I003": Row("application", "{module} was imported"),
    "E004": Row(
        "application",
        "The application {module} cannot be imported: {error}",
        "Doctor looks at logging and structlog as the application leaves them, and nothing was "
        "left. If it does not start elsewhere either, it sends no events.",
        'Run `python -c "import {module}"` in this directory, with the environment of the '
        "application, and mend what it says.",
    ),
    "E005": Row(
        "application",
        "Django cannot be set up with {module}: {error}",
        "Doctor looks at logging and structlog as Django leaves them, and nothing was left.",
        "Run `python -m django check --settings {module}` in this directory, with the "
        "environment of the application, and mend what it says.",
    ),
    "I010": Row("versions", "{versions}"),
    "E011": Row(
        "versions",
        "{package} {version} is older than {floor}",
        "cio-events is tested with {floor} and newer ones. With an older one, events may be lost.",
        "Run `pip install '{package}>={floor}'`.",
    ),
    "E012": Row(
        "versions", "{package} {version} is known to be bad", "{reason}.", "Run `{command}`."
    ),
    # Settings.
    "I100": Row("settings", "The settings can be used"),
    "E101": Row(
        "settings",
        "Missing: {setting}",
        "Every call is dropped as `unconfigured`, with one warning.",
        "Set {setting} in the environment of the application. " + _KEYS + " To try it without an "
        "account, set what `cio-events sandbox` prints.",
    ),
    "E102": Row(
        "settings",
        "{setting} cannot be read: it {problem}",
        "No call is sent while a setting is wrong: each is dropped as `unconfigured`.",
        "Give {setting} another value. The page about options says which it can have.",
    ),
    "E103": Row(
        "settings",
        "{setting} has {what} around its value",
        "It is sent as it is, and Customer.io answers 401: nothing arrives.",
        "Take {what} away. In an .env file, for Docker's --env-file too, write NAME=value without "
        "quotes and blanks; `kubectl create secret` wants `echo -n`.",
    ),
    "E104": Row(
        "settings",
        "{setting} looks like an App API key",
        "It has 32 characters, those of the Track API have 20. They are different keys, and "
        "neither API knows the other's.",
        "Give the App API key as CIO_APP_API_KEY. For {setting}: " + _KEYS,
    ),
    "E105": Row(
        "settings",
        "{setting} looks like a key of the Track API",
        "It has 20 characters, an App API key has 32. Messages are refused with 401.",
        _KEYS,
    ),
    "E106": Row(
        "settings",
        "{setting} points to this machine, in production",
        "{evidence} says that this is production. The events go to a sandbox or a proxy on this "
        "machine, and not to Customer.io.",
        "Unset {setting}, and give the credentials of the workspace.",
    ),
    "W107": Row(
        "settings",
        "Test or development sends to Customer.io itself",
        "{evidence} says that this is not production, and nothing says that calls go elsewhere. "
        "If the workspace is the real one, real people get test messages.",
        "Use a workspace for tests, or `cio-events sandbox` and the variables that it prints.",
    ),
    "W108": Row(
        "settings",
        "{setting} points to this machine, with what looks like real credentials",
        "The events go to a sandbox or a proxy on this machine, which may be what is meant.",
        "Unset {setting} if they are to go to Customer.io.",
    ),
    "E109": Row(
        "settings",
        "As the sandbox or an example has it: {setting}; and calls go to Customer.io",
        "Customer.io answers 401: nothing arrives.",
        _KEYS + " To use the sandbox, set all the variables that `cio-events sandbox` prints.",
    ),
    "W110": Row(
        "settings",
        "{variable} is no setting of cio-events",
        "Nobody reads it: what it was to change stays as it is.",
        "{advice}",
    ),
    "W111": Row(
        "settings",
        "The option enabled is off",
        "Every call is dropped as `disabled`, which may be what is meant.",
        "Take {setting} away, or set it to true.",
    ),
    "W112": Row(
        "settings",
        "CIO_ONLY_LOOPBACK is set",
        "It is for tests: every call to another machine is dropped as `disabled`.",
        "Unset it where events are to arrive.",
    ),
    "W113": Row(
        "settings",
        "{setting} has no encryption",
        "Anybody on the way can read the credentials and the personal data.",
        "Begin it with https://.",
    ),
    "W114": Row(
        "settings",
        "The option strict is on, in production",
        "{evidence} says that this is production. With strict, a record of which no call can be "
        "made raises out of the log call, into the application.",
        "Take {setting} away, or set it to false.",
    ),
    "E115": Row(
        "settings",
        "{setting} is of one API alone, and calls need the other",
        "There is a base URL for {has}, but the calls for {needs} go to Customer.io.",
        "Set {other} too.",
    ),
    "W116": Row(
        "settings",
        "Log lines are captured, and there are credentials for messages alone",
        "Events and calls about people need those of the Track API: without them, each is dropped "
        "as `unconfigured`.",
        "Set CIO_SITE_ID and CIO_API_KEY. If only messages are sent, all is well. "
        + _KEYS.format(tab="Track"),
    ),
    # Credentials, and the network on the way.
    "I200": Row("credentials", "Customer.io knows the credentials; the workspace is in {region}"),
    "I215": Row(
        "credentials",
        "{host} takes the credentials, and is not Customer.io: nobody else was asked",
    ),
    "S201": Row("credentials", "Nothing is asked: the network is left out (offline)"),
    "S202": Row("credentials", "There are no credentials of the Track API to ask with"),
    "S203": Row(
        "credentials", "Nothing is asked: this process may reach this machine alone", "", ""
    ),
    "E204": Row(
        "credentials",
        'The region is wrong: the workspace is in "{region}"',
        'The credentials are right, and "{asked}" does not know them: it answers 401 or sends '
        "everybody on. Nothing arrives.",
        "Set CIO_REGION={region}, or region={region!r} where the option is given in code.",
    ),
    "E205": Row(
        "credentials",
        "Customer.io does not know the credentials, {asked}",
        "It answers 401: the site id or the API key is wrong, or was deleted. Nothing arrives.",
        "Copy both again, for one and the same workspace: Settings, Account Settings, API "
        "Credentials; the tab Track API Keys.",
    ),
    "E206": Row(
        "credentials",
        "A proxy does not let the request through: {cause}",
        "Requests go by way of {proxy}, and it refuses. Calls wait, and expire after max_age.",
        "Give the proxy's name and password in {proxy}, or name {host} in NO_PROXY.",
    ),
    "E207": Row(
        "credentials",
        "The certificate of {host} is not trusted: {cause}",
        "Most often something on the way reads along (TLS interception by a company's proxy or "
        "a virus scanner), or this machine's certificates are old. Calls wait, and expire after "
        "max_age.",
        "Give the file with the company's certificate as REQUESTS_CA_BUNDLE, or run "
        "`pip install -U certifi`.",
    ),
    "E208": Row(
        "credentials",
        "Somebody else answers in the place of {host}",
        "The answer is a page (HTML) and not Customer.io's: a captive portal, or a proxy that "
        "shows a page of its own. Calls wait, and expire after max_age.",
        "Sign in to the network, or have {host} let through.",
    ),
    "E209": Row(
        "credentials",
        "The name of {host} cannot be looked up",
        "The DNS does not know it, or does not answer: {cause}. Calls wait, and expire after "
        "max_age.",
        "Look into this machine's (or container's) DNS: `getent hosts track.customer.io`.",
    ),
    "E210": Row(
        "credentials",
        "There is no connection to {host}: {cause}",
        "A firewall, or nobody listens there. Calls wait, and expire after max_age.",
        "{advice}",
    ),
    "E211": Row(
        "credentials",
        "{host} does not answer within {seconds:g} seconds",
        "A firewall that drops without a word, most often. Calls wait, and expire after max_age.",
        "Allow outgoing connections to {host}, port 443.",
    ),
    "W212": Row(
        "credentials",
        "{host} is not well: it answers {status}",
        "Calls wait, and are sent when it is over.",
        "Look at status.customer.io, and run this again later.",
    ),
    "E213": Row(
        "credentials",
        "{host} is not Customer.io's Track API: it answers {status}",
        "The URL is wrong, most often.",
        "Look at {setting}, or take it away: then the region's own is used.",
    ),
    "E214": Row(
        "credentials",
        "The credentials may not be used from here: {host} answers 403",
        "The workspace has an allowlist of IP addresses, most often.",
        "Add this machine's address: Settings, Account Settings, API Credentials.",
    ),
    # The clock.
    "I300": Row("clock", "The clock is right, to about a second"),
    "S301": Row("clock", "Nobody was asked who knows the time"),
    "W302": Row(
        "clock",
        "The clock is {seconds} seconds {direction}",
        "Events and their ids (ULIDs) carry this machine's time: beside events of other machines "
        "their order is wrong.",
        "Have the clock set by NTP: `timedatectl set-ntp true`, or the host of the container.",
    ),
    "E303": Row(
        "clock",
        "The clock is {seconds} seconds {direction}",
        "Events and their ids (ULIDs) carry this machine's time: campaigns count their delays "
        "and the 72 hours from there, attributes of older calls win, and certificates may seem "
        "to be expired.",
        "Have the clock set by NTP: `timedatectl set-ntp true`, or the host of the container.",
    ),
}
