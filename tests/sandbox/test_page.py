"""The sandbox's page, as a person sees it, in Debian's Chromium, the light one if it is there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import structlog

import cio_events
from cio_events.sandbox import Sandbox
from tests.sandbox.asking import TIMEOUT_SECONDS, Api
from tests.sandbox.asking import eventually as eventually_
from tests.support.effort import THOROUGH, times
from tests.support.npm import AXE, installed
from tests.support.scripts import environment, run_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome

# The whole one does twice the work; the light one's own command would outlive the driver's end.
LIGHT = shutil.which("chromium-headless-shell", path="/usr/lib/chromium")
CHROMIUM = LIGHT or shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
SEEN = "/api/v1/customers/5/events"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="there is no chromium and chromedriver here"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A browser without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    quiet = ("--disable-gpu", "--disable-extensions", "--disable-background-networking")
    # Without a graphics card, each frame of an animation takes what many tests take; and on few
    # cores, more processes and threads bring work and no speed.
    cheap = (
        *("--force-prefers-reduced-motion", "--process-per-site", "--renderer-process-limit=1"),
        "--in-process-gpu",
        *("--disable-features=SpareRendererForSitePerProcess", "--js-flags=--single-threaded"),
    )
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *quiet, *cheap):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,800")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(DRIVER))
    with webdriver.Chrome(options=options, service=service) as driver:
        yield driver


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true before long; a browser is asked less often, as that costs it."""
    return eventually_(condition, every=0.05)


class Page:
    """What is seen of a sandbox in a browser."""

    def __init__(self, browser: Chrome, api: Api) -> None:
        self.browser, self.api = browser, api

    def open(self, query: str = "") -> None:
        """Go to the page and see it live."""
        self.browser.get(f"{self.api.sandbox.url}/{query}")
        assert eventually(lambda: self.text("#state") == "live")

    def go(self, query: str) -> None:
        """Go to another view without loading the page again, as its own links do."""
        self.js(
            "history.pushState(null, '', arguments[0]); dispatchEvent(new Event('popstate'))",
            query,
        )

    def colours(self, scheme: str) -> None:
        """Have it light or dark."""
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.browser.find_element("css selector", selector).click()

    def js(self, script: str, *arguments: object) -> Any:
        """Run a script as in the console."""
        return self.browser.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text that is seen of an element; nothing where there is none."""
        found = self.js(
            "const e = document.querySelector(arguments[0]); return e && e.innerText", selector
        )
        return found or ""

    def rows(self) -> list[str]:
        """The lines of the list."""
        found: list[str] = self.js(
            "return [...document.querySelectorAll('.row')].map(r => r.innerText)"
        )
        return [" ".join(row.split()) for row in found]

    def shows(self, selector: str, *texts: str) -> bool:
        """Whether all these texts come to be seen there."""
        return eventually(lambda: all(text in self.text(selector) for text in texts))

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def track(self, name: str, **fields: object) -> None:
        """Have an event arrive."""
        self.api.post(SEEN, json={"name": name, **fields})


@pytest.fixture
def page(browser: Chrome) -> Iterator[Page]:
    """The page of a sandbox that is running; nothing is said in the console at its end."""
    with Sandbox() as sandbox, Api(sandbox) as api:
        yield Page(browser, api)
        said = [entry["message"] for entry in browser.get_log("browser")]
        browser.get("about:blank")  # or it says, in the next test, that the sandbox is gone
    assert [message for message in said if "ERR_" not in message and " 404 " not in message] == []


def test_the_empty_page_says_how_to_begin(page: Page) -> None:
    """What to export, and the three lines that make the first event."""
    page.open()
    assert page.shows("#list", f"CIO_TRACK_URL={page.api.sandbox.url}", 'cio_customer="5"')
    page.track("purchase")
    assert eventually(lambda: len(page.rows()) == 1)


def test_the_lines_of_the_empty_page_make_the_first_event(page: Page) -> None:
    """They are run as they stand there."""
    page.open()
    export, lines = page.js("return [...document.querySelectorAll('pre')].map(e => e.textContent)")
    given = dict(pair.split("=", 1) for pair in export.removeprefix("export ").split())
    run_code(lines, env={**environment(), **given})
    assert eventually(
        lambda: [row.split()[3:] for row in page.rows()] == [["purchase", "5", "#0"]]
    )


def test_what_arrives_is_seen_as_it_arrives(page: Page) -> None:
    """In each view, the latest first."""
    page.open("?view=timeline")
    page.api.put("/api/v1/customers/5", json={"email": "lucy@example.com", "plan": "pro"})
    page.track("purchase")
    assert eventually(lambda: len(page.rows()) == 2)
    assert "purchase 5 #1" in page.rows()[0]

    page.browser.find_element("link text", "Requests").click()
    assert eventually(lambda: page.rows() != [] and SEEN in page.rows()[0])
    page.browser.find_element("link text", "People").click()
    assert eventually(lambda: any("lucy@example.com" in row for row in page.rows()))
    page.browser.find_element("css selector", ".row").click()
    assert page.shows("#detail", "plan", "pro", "#0")


def test_a_refused_item_explains_itself(page: Page) -> None:
    """The rule, the field, the limit, and how to mend it; a link leads to it."""
    good = {"type": "person", "action": "event", "identifiers": {"id": "5"}, "name": "good"}
    page.api.batch(good, {**good, "name": "x" * 112})
    page.open("?view=timeline&q=refused")
    assert eventually(lambda: len(page.rows()) == 1)
    page.browser.find_element("css selector", ".row").click()

    expected = ("it has 112 bytes", "100 bytes", "Log a shorter template", "name")
    assert page.shows("#detail", *expected)
    assert "open=0.1" in page.browser.current_url
    page.open(page.browser.current_url.rpartition("/")[2])
    assert page.shows("#detail", *expected)


def test_repeats_and_late_events_are_shown_as_such(page: Page) -> None:
    """With the request that came first, and that no campaign is triggered."""
    page.track("once", id="01HFV2Z4Q8J9K3M5N7P1R6T0WX")
    page.track("once", id="01HFV2Z4Q8J9K3M5N7P1R6T0WX")
    page.track("late", timestamp=int(time.time()) - 80 * 3600)
    page.open("?view=timeline&open=1.0")
    assert page.shows("#detail", "same id as request 0: counted once")
    page.go("?view=timeline&open=2.0")
    assert page.shows("#detail", "triggers no campaign")


def test_the_filter_is_in_the_address(page: Page) -> None:
    """It holds over the views and over loading again."""
    page.track("purchase")
    page.track("logout")
    page.open()
    page.press("/", "l", "o", "g")
    assert eventually(lambda: [row.split()[3] for row in page.rows()] == ["logout"])
    assert "q=log" in page.browser.current_url
    page.browser.refresh()
    assert eventually(lambda: [row.split()[3] for row in page.rows()] == ["logout"])


def test_the_keyboard_is_enough(page: Page) -> None:
    """J and k move, Enter opens, Escape closes and goes back to the row."""
    for name in ("first", "second", "third"):
        page.track(name)
    page.open()
    assert eventually(lambda: len(page.rows()) == 3)
    page.press("j", "j", "j", "k", "\ue007")
    assert page.shows("#detail h2", "second")
    page.press("\ue00c")
    assert eventually(lambda: page.js("return document.querySelector('#detail').hidden"))
    assert "second" in page.js("return document.activeElement.innerText")


def test_text_is_only_ever_text(page: Page) -> None:
    """Markup in names, values and messages shows as letters and runs nothing."""
    evil = "<img src=x onerror=\"document.title='gone'\">"
    page.track(evil, data={evil: evil})
    page.api.put(f"/api/v1/customers/{evil.replace('/', '')}", json={evil[:50]: evil})
    script = f"<script>parent.document.title='gone'</script>{evil}Hello"
    who = {"to": evil, "from": "a@b", "subject": evil, "identifiers": {"id": "5"}}
    page.api.message("email", **who, body=script)
    page.open()
    seen = {
        "?open=0.0": "#detail h2:not(.mono) ~ pre",
        "?view=requests&open=0": "#detail h2.mono ~ pre",
        "?view=people": "#list .people",
        "?open=2.0": "#detail .mail",
    }
    for query, where in seen.items():
        page.go(query)
        assert page.shows(where, "<img src=x")
        assert page.js("return document.title") == "Customer.io sandbox"
        assert page.js("return document.images.length") == 0
    page.browser.get_log("browser")  # the frame's refusal to run scripts


def test_an_email_is_shown_as_it_would_look(page: Page) -> None:
    """In a frame of its own."""
    who = {"to": "lucy@example.com", "from": "a@b", "subject": "Your order"}
    page.api.message("email", **who, body="<h1>Thanks</h1>", identifiers={"id": "5"})
    page.open("?open=0.0")
    assert page.shows(".mail", "Your order", "lucy@example.com")
    page.browser.switch_to.frame(page.browser.find_element("css selector", ".mail iframe"))
    assert eventually(lambda: page.text("h1") == "Thanks")
    page.browser.switch_to.default_content()


def test_misbehaving_by_the_panel(page: Page) -> None:
    """What is said there happens to the next requests, and then no more."""
    page.open()
    page.browser.find_element("id", "misbehave-open").click()
    times = page.browser.find_element("css selector", "[name=times]")
    times.clear()
    times.send_keys("10")
    page.browser.find_element("css selector", "#misbehave [type=submit]").click()
    assert page.shows("#misbehave-said", "10 requests")
    statuses = [page.api.post(SEEN, json={"name": "x"}).status_code for _ in range(11)]
    assert statuses == [503] * 10 + [200]


@pytest.mark.parametrize(("kind", "kept"), [("drop", 0), ("forget", 1)])
def test_breaking_connections_by_the_panel(page: Page, kind: str, kept: int) -> None:
    """What is dropped is not accepted, what is forgotten is; then all is well again."""
    page.open()
    page.click("#misbehave-open")
    page.click(f"#misbehave option[value={kind}]")
    assert not page.browser.find_element("name", "status").is_displayed()
    page.browser.find_element("name", "times").clear()
    page.click("#misbehave [type=submit]")
    assert page.shows("#misbehave-said", "From now on.")
    with pytest.raises(requests.ConnectionError):
        page.track("broken")
    assert len(page.api.sandbox.events) == kept
    assert eventually(lambda: len(page.rows()) == kept)
    page.click("#heal")
    assert page.shows("#misbehave-said", "All is well again.")
    page.track("whole")
    assert eventually(lambda: len(page.rows()) == kept + 1)


def test_what_is_copied_does_the_same_again(page: Page) -> None:
    """As curl, without the credentials; and as the log line that makes the event."""
    data = {"price": 13.99, "it's": ["é", None, True, {"a": 'quo"te'}]}
    page.track("purchase", data=data)
    page.browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    page.open("?open=0.0")
    assert eventually(lambda: page.text("#detail h2") == "purchase")
    copied = []
    for number in (1, 2):
        button = f"#detail .actions button:nth-child({number})"
        page.click(button)
        assert page.shows(button, "Copied")
        copied.append(
            page.browser.execute_async_script(
                "navigator.clipboard.readText().then(arguments[arguments.length - 1])"
            )
        )
    curl, line = copied
    assert "site" not in curl
    assert "key" not in curl
    if shutil.which("curl"):
        subprocess.run(shlex.split(curl), check=True, timeout=TIMEOUT_SECONDS, capture_output=True)
    else:
        page.track("purchase", data=data)
    with cio_events.Pipeline(site_id="s", api_key="k", track_url=page.api.sandbox.url) as pipeline:
        processor = cio_events.CustomerIOProcessor(pipeline)
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[processor])
        exec(line, {"log": log})
    events = page.api.sandbox.events
    assert [(event.name, event.customer, event.data) for event in events] == [
        ("purchase", "5", data)
    ] * 3


def test_each_workspace_can_be_looked_at_alone(page: Page) -> None:
    """It is chosen, and is in the address; one stream carries all."""
    for site in ("red", "blue"):
        page.api.post(SEEN, json={"name": f"of {site}"}, auth=(site, "k"))
    page.open()
    assert eventually(lambda: len(page.rows()) == 2)
    page.click("#workspace option[value=red]")
    assert eventually(lambda: [row.split()[3:5] for row in page.rows()] == [["of", "red"]])
    assert "workspace=red" in page.browser.current_url
    page.api.post(SEEN, json={"name": "later"}, auth=("blue", "k"))
    page.browser.find_element("link text", "People").click()
    assert eventually(lambda: len(page.rows()) == 1)
    page.go("?view=requests&workspace=blue")
    assert eventually(lambda: len(page.rows()) == 2)
    page.go("?view=timeline&workspace=none")
    assert page.shows("#list", "Nothing matches")


def test_the_timeline_of_one_person(page: Page) -> None:
    """By whatever name calls have for them, and by no part of another name."""
    page.api.put("/api/v1/customers/5", json={"email": "lucy@example.com"})
    for name in ("5", "lucy@example.com", "55"):
        page.api.post(f"/api/v1/customers/{name}/events", json={"name": f"of {name}"})
    page.open(f"?view=people&open={page.api.sandbox.people[0].cio_id}")
    assert eventually(lambda: page.text("#detail h2") == "5")
    page.browser.find_element("css selector", "#detail").find_element(
        "link text", "Timeline"
    ).click()
    expected = ["of lucy@example.com lucy@example.com #2", "of 5 5 #1", "identify 5 #0"]
    assert eventually(lambda: len(page.rows()) == 3)
    assert all(row.endswith(end) for row, end in zip(page.rows(), expected, strict=True))
    assert page.shows("#list", "The timeline of 5.")


def test_it_comes_back_without_a_gap(page: Page) -> None:
    """The server may stop and start again meanwhile."""
    page.open()
    page.track("before")
    assert eventually(lambda: len(page.rows()) == 1)
    page.api.sandbox.stop()
    assert eventually(lambda: page.text("#state") == "reconnecting")
    page.api.sandbox.start()
    page.track("after")
    page.track("and more")
    assert eventually(lambda: page.text("#state") == "live" and len(page.rows()) == 3)


# A browser has six connections to a host, which as many streams would fill.
TABS = 10 if THOROUGH else 7


def test_many_tabs_share_one_stream(page: Page) -> None:
    """All are live; when the one that holds the stream is closed, another one takes over."""
    first = page.browser.current_window_handle
    page.open()
    leader = page.browser.current_window_handle
    for _ in range(TABS - 1):
        page.browser.switch_to.new_window("tab")
        page.open()
    tabs = page.browser.window_handles
    assert len(tabs) == TABS
    page.track("seen by all")
    for tab in tabs:
        page.browser.switch_to.window(tab)
        assert eventually(lambda: len(page.rows()) == 1)

    page.browser.switch_to.window(leader)
    page.browser.switch_to.new_window("tab")
    spare = page.browser.current_window_handle
    page.browser.switch_to.window(leader)
    page.browser.close()
    page.track("seen by the rest")
    for tab in tabs[1:]:
        page.browser.switch_to.window(tab)
        assert eventually(lambda: len(page.rows()) == 2)
        page.browser.close()
    page.browser.switch_to.window(spare)
    assert first not in page.browser.window_handles


def test_ten_thousand_events_leave_the_page_answering(page: Page) -> None:
    """All are counted, and few are in the page."""
    page.open()
    event = {"type": "person", "action": "event", "identifiers": {"id": "5"}}
    size = 10_000 // times(20)
    for first in range(0, 10_000, size):
        batch = [{**event, "name": f"event {number}"} for number in range(first, first + size)]
        assert page.api.batch(*batch).status_code == 200
        assert page.js("return 1") == 1  # or the browser's own time limit is over
    assert page.shows("#list", "event 9999", "of 10,000")
    assert len(page.rows()) <= 200
    page.press("/", "9998")
    assert eventually(lambda: len(page.rows()) == 1)


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    """The text of axe-core."""
    modules = installed(AXE, pytestconfig)
    return (modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


LEVELS = {"type": "tag", "values": ["wcag2a", "wcag2aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast"]}


def test_it_can_be_read_by_everybody(page: Page, axe: str) -> None:
    """axe-core finds nothing serious in any view, nor in its colours when they are dark."""
    page.open()
    page.js(axe)
    queries = ["?view=timeline&open=0.0", "?view=requests&open=0", "?view=people&open=5"]
    found = [_serious(page, LEVELS)]
    page.click("#misbehave-open")
    page.track("x" * 112)
    page.track("late", timestamp=1)
    page.api.message(
        "email", to="a@b", subject="s", body="b", identifiers={"id": "5"}, **{"from": "a@b"}
    )
    for scheme, rules in (("light", LEVELS), ("dark", COLOURS)):
        page.colours(scheme)
        for query in queries:
            page.js("document.querySelector('#detail').replaceChildren()")
            page.go(query)
            assert eventually(lambda: page.text("#detail h2") != "")
            found.append(_serious(page, rules))
    page.colours("light")
    assert found == [[]] * 7


def _serious(page: Page, rules: dict[str, Any]) -> list[str]:
    page.js("document.getAnimations().forEach(a => a.finish())")
    result = page.browser.execute_async_script(
        "axe.run({iframes: false, runOnly: arguments[0], resultTypes: ['violations']})"
        ".then(arguments[1])",
        rules,
    )
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
