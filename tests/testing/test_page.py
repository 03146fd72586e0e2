"""The testing page's examples, each run by what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.pages import blocks
from tests.testing.suites import Run, run_suite


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All of them, as one suite."""
    shop, with_pytest = blocks("testing", "python")
    (with_unittest,) = blocks("testing#unittest", "python")
    (with_django,) = blocks("testing#Django", "python")
    (with_sandbox,) = blocks("testing#A sandbox for tests", "python")
    (of_the_readme,) = blocks("README#Test it", "python")
    files = {
        "test_readme.py": f"from shop import check_out\n\n{of_the_readme}",
        "shop.py": shop,
        "test_shop.py": with_pytest,
        "test_unittest.py": with_unittest,
        "test_django.py": with_django,
        "test_sandbox.py": with_sandbox,
    }
    return run_suite(tmp_path_factory.mktemp("page"), files)


def test_the_examples_pass(run: Run) -> None:
    """With pytest, unittest and Django, and with a sandbox that fails once."""
    assert run.code == 0, run.out
    assert sorted(re.findall(r"^PASSED (.*)$", run.out, re.MULTILINE)) == [
        "test_django.py::BuyTest::test_buy",
        "test_django.py::test_buy",
        "test_readme.py::test_checkout",
        "test_sandbox.py::test_delivery",
        "test_shop.py::test_checkout",
        "test_unittest.py::CheckoutTest::test_checkout",
    ]


def test_the_failing_text_is_what_is_shown(tmp_path: Path) -> None:
    """And so is what a blocked call says."""
    shop = blocks("testing", "python")[0]
    (shown,) = blocks("testing#Assertions", "text")
    (blocked,) = blocks("testing#Nothing leaves the machine", "text")
    suite = """
    from shop import check_out

    def test_other(cio):
        check_out("5", 14.99)
        cio.tracked("purchase", customer="5", price=13.99)

    def test_blocked():
        check_out("5", 14.99)
    """
    run = run_suite(tmp_path, {"shop.py": shop, "test_shop.py": suite})

    text = "\n".join(line[4:].rstrip() for line in run.tests["test_other"].text.splitlines())
    assert shown.strip() in text.replace("AssertionError: ", "").replace("  rice", "  price")
    assert blocked.strip() in run.tests["test_blocked"].text
