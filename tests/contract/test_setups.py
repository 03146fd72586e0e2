"""Broken set-ups and right ones: the doctor tells them apart, and its mends help."""

from __future__ import annotations

import pytest

from tests.contract.setups.running import BROKEN, CREDENTIALS, EXAMPLES, RIGHT, Job, Run, run


@pytest.fixture(scope="module")
def as_they_are(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What is found in each broken set-up."""
    home = tmp_path_factory.mktemp("broken")
    runs = run([one.job(home) for one in BROKEN.values()])
    return dict(zip(BROKEN, runs, strict=True))


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What is found once the mends are applied."""
    home = tmp_path_factory.mktemp("mended")
    runs = run([one.job(home, mended=True) for one in BROKEN.values()])
    return dict(zip(BROKEN, runs, strict=True))


EXAMPLE_JOBS = {
    "flask_app": Job(("--json", "--offline", "--app", "flask_app:app"), CREDENTIALS, EXAMPLES),
    "celery_app": Job(("--json", "--offline", "--app", "celery_app"), CREDENTIALS, EXAMPLES),
    "fastapi_app": Job(("--json", "--offline", "--app", "fastapi_app"), CREDENTIALS, EXAMPLES),
    "django_shop": Job(
        ("--json", "--offline", "--django", "shop.settings", "--app", "shop.wsgi"),
        CREDENTIALS,
        EXAMPLES / "django_shop",
    ),
}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What is found in each right one, and in the examples of the documentation."""
    home = tmp_path_factory.mktemp("right")
    jobs = {name: one.job(home) for name, one in RIGHT.items()} | EXAMPLE_JOBS
    return dict(zip(jobs, run(list(jobs.values())), strict=True))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_set_up_is_found(as_they_are: dict[str, Run], name: str) -> None:
    """By its ids, and by no others."""
    found = as_they_are[name]

    assert BROKEN[name].finds == found.bad, found.findings
    assert found.code == 1
    assert all(one["why"] and one["fix"] for one in found.findings if one["id"] in found.bad)


# What must stand in a finding, beside its id, for the right thing to be mended.
WORDS = {
    "misspelt_option": ("title", "api_token: is no option"),
    "not_importable": ("title", "CustomerIOHandlr"),
    "logger_without_level": ("fix", '"level": "INFO" for the logger shop'),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_finding_says_what_to_change(as_they_are: dict[str, Run], name: str) -> None:
    """And not only that something has to be."""
    field, words = WORDS[name]

    assert any(words in one[field] for one in as_they_are[name].findings)


@pytest.mark.parametrize("name", BROKEN)
def test_the_mend_makes_the_finding_go(mended: dict[str, Run], name: str) -> None:
    """And no other comes."""
    found = mended[name]

    assert set() == found.bad, found.findings
    assert found.code == 0


@pytest.mark.parametrize("name", [*RIGHT, *EXAMPLE_JOBS])
def test_a_right_set_up_has_no_finding(right: dict[str, Run], name: str) -> None:
    """Also where it is unusual."""
    found = right[name]

    assert set() == found.bad, found.findings
    assert found.code == 0
    probe = next(one for one in found.findings if one["check"] == "probe")
    assert probe["level"] == "ok"
