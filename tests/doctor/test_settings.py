"""The check of settings: missing, misplaced, misspelt; and that no value is ever shown."""

from __future__ import annotations

import pytest

from cio_events import Pipeline
from cio_events._pipeline import default
from cio_events.doctor import settings
from cio_events.options import ROWS
from tests.doctor.settings_of import GOOD, found, ids, subject

APP_KEY = "20436c6351668b25a74a2c289a639d3f"

CASES = {
    "all is well": ({}, {"I100"}),
    "no key": ({"CIO_API_KEY": ""}, {"E101"}),
    "neither": ({"CIO_API_KEY": "", "CIO_SITE_ID": ""}, {"E101"}),
    "messages alone": (
        {"CIO_API_KEY": "", "CIO_SITE_ID": "", "CIO_APP_API_KEY": APP_KEY},
        {"I100"},
    ),
    "a region that there is not": ({"CIO_REGION": "de"}, {"E102"}),
    "a URL that is none": ({"CIO_TRACK_URL": "track.customer.io"}, {"E102"}),
    "blanks": ({"CIO_API_KEY": f"{GOOD['CIO_API_KEY']} "}, {"E103"}),
    "quotes": ({"CIO_SITE_ID": f"'{GOOD['CIO_SITE_ID']}'"}, {"E103"}),
    "quotes and an App key in them": ({"CIO_API_KEY": f'"{APP_KEY}"'}, {"E103", "E104"}),
    "a line end": ({"CIO_API_KEY": f"{GOOD['CIO_API_KEY']}\n"}, {"E102"}),
    "an App key as site id": ({"CIO_SITE_ID": APP_KEY}, {"E104"}),
    "a Track key as App key": ({"CIO_APP_API_KEY": GOOD["CIO_API_KEY"]}, {"E105"}),
    "a sandbox in production": (
        {"CIO_TRACK_URL": "http://localhost:8026", "ENVIRONMENT": "Production"},
        {"E106"},
    ),
    "a sandbox with real keys": ({"CIO_TRACK_URL": "http://[::1]:8026"}, {"W108"}),
    "a sandbox with its own": (
        {"CIO_TRACK_URL": "http://127.0.0.1:8026", "CIO_SITE_ID": "sandbox"}
        | {"CIO_API_KEY": "sandbox", "ENV": "dev"},
        {"I100"},
    ),
    "the real one in a test": ({"ENV": "test"}, {"W107"}),
    "the real one in production": ({"ENV": "production"}, {"I100"}),
    "the sandbox's key for the real one": ({"CIO_API_KEY": "sandbox"}, {"E109"}),
    "an example's key": ({"CIO_SITE_ID": "your-site-id"}, {"E109"}),
    "both": ({"CIO_SITE_ID": "sandbox", "CIO_API_KEY": "sandbox"}, {"E109"}),
    "a name that nobody reads": ({"CIO_APIKEY": "x"}, {"I100", "W110"}),
    "an option of code alone": ({"CIO_BEFORE_SEND": "x"}, {"I100", "W110"}),
    "the vendor's own name": ({"CUSTOMERIO_SITE_ID": "x", "CIO_SITE_ID": ""}, {"E101", "W110"}),
    "the vendor's beside ours": ({"CUSTOMERIO_SITE_ID": "x"}, {"I100"}),
    "switched off": ({"CIO_ENABLED": "no"}, {"W111"}),
    "a test's": ({"CIO_ONLY_LOOPBACK": "1"}, {"I100"}),  # as this process is not bound
    "no encryption": ({"CIO_TRACK_URL": "http://proxy.example"}, {"W113"}),
    "strict in production": ({"CIO_STRICT": "1", "ENV": "prod"}, {"W114"}),
    "the sandbox for people alone": (
        {"CIO_TRACK_URL": "http://127.0.0.1:8026", "CIO_APP_API_KEY": APP_KEY}
        | {"CIO_SITE_ID": "sandbox", "CIO_API_KEY": "sandbox"},
        {"E115"},
    ),
    "and for messages alone": (
        {"CIO_APP_URL": "http://127.0.0.1:8026", "CIO_APP_API_KEY": "sandbox"},
        {"E115"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_found_by_its_id(case: str) -> None:
    """And nothing else."""
    environ, expected = CASES[case]

    assert ids(**environ) == expected


def test_the_nearest_name_is_told() -> None:
    """Of a variable that nobody reads."""
    (misspelt,) = (one for one in found(CIO_REGOIN="eu") if one.id == "W110")

    assert misspelt.title == "CIO_REGOIN is no setting of cio-events"
    assert misspelt.fix == "Is it CIO_REGION?"


def test_it_is_told_which_setting_came_from_where() -> None:
    """With the value of those alone that are words of a list, or numbers."""
    (well,) = found(CIO_REGION="eu", CIO_TIMEOUT="5", CIO_SPOOL="/srv/lucy")

    assert well.where.splitlines() == [
        "site_id, from CIO_SITE_ID",
        "api_key, from CIO_API_KEY",
        "region = eu, from CIO_REGION",
        "timeout = 5.0, from CIO_TIMEOUT",
        "spool, from CIO_SPOOL",
    ]


CANARY = "kanarienvogel7"


@pytest.mark.parametrize("form", ["{}", "https://{}.example/x", "http://{}:80", " '{}' ", "{}\n"])
def test_a_canary_in_every_option_is_shown_nowhere(form: str) -> None:
    """Whatever form it has, one by one and all at once."""
    names = [f"CIO_{name.upper()}" for name in ROWS]
    text = form.format(CANARY)
    environments = [{name: text} for name in names] + [dict.fromkeys(names, text)]

    shown = [str(finding) for environ in environments for finding in found(**environ)]

    assert len(shown) >= len(names)
    assert [text for text in shown if CANARY in text] == []


def test_what_is_given_in_code_does_not_ask_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor is it told of what stands there; what is not given is."""
    environ = GOOD | {"CIO_TIMEOUT": "soon"}
    with Pipeline(site_id="f82ad78f695bd32f9d99", api_key=GOOD["CIO_API_KEY"], timeout=5) as own:
        monkeypatch.setattr(default.process, "default", own)
        of_code = [one.id for one in settings.look(subject(environ))]
        of_both = [one.id for one in settings.look(subject(environ | {"CIO_REGION": "de"}))]

    assert of_code == ["I100"]
    assert of_both == ["E102"]
