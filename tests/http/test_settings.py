"""Where to and by which credentials: what cannot be is refused, and no secret is shown."""

from __future__ import annotations

import base64

import pytest

from cio_events._http.credentials import basic, bearer
from cio_events._http.endpoint import APP_URLS, TRACK_URLS, Endpoint, app_url, track_url
from cio_events.errors import ParamError
from tests.http.asking import REQUEST, endpoint
from tests.support.servers import ScriptedServer


class TestWhereTo:
    @pytest.mark.parametrize("region", ["us", "eu"])
    def test_each_region_has_its_hosts(self, region: str) -> None:
        """As the vendor's documentation gives them."""
        hosts = {"us": ("track", "api"), "eu": ("track-eu", "api-eu")}[region]

        assert track_url(region) == TRACK_URLS[region] == f"https://{hosts[0]}.customer.io"
        assert app_url(region) == APP_URLS[region] == f"https://{hosts[1]}.customer.io"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8026", "http://127.0.0.1:8026//"])
    def test_a_slash_at_the_end_is_not_doubled(self, url: str) -> None:
        """``//api`` would be another path."""
        assert track_url(url=url) == "http://127.0.0.1:8026"

    def test_a_path_before_the_path(self) -> None:
        """As a gateway has it."""
        with ScriptedServer() as server:
            client = endpoint(track_url(url=f"{server.url}/gateway/"))
            client.send(REQUEST)
            client.close()

        assert server.requests[0].target == "/gateway/api/v2/entity"

    @pytest.mark.parametrize("region", ["US", "de", "", None, 1])
    def test_another_region_is_refused(self, region: object) -> None:
        """By its name."""
        with pytest.raises(ParamError) as raised:
            track_url(region)

        assert raised.value.param == "region"

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "track.customer.io",
            "ftp://track.customer.io",
            "https://",
            "https://user:hunter2@track.customer.io",
            "https://track.customer.io?a=b",
            "https://track.customer.io#a",
            "https://track.customer.io:port",
            "https://track.customer.io\n",
            "https://[",
            5,
        ],
    )
    def test_a_url_that_cannot_be_is_refused(self, url: object) -> None:
        """By its name, and without what it holds."""
        with pytest.raises(ParamError) as raised:
            app_url(url=url)

        assert raised.value.param == "url"
        assert "hunter2" not in str(raised.value)


class TestCredentials:
    @pytest.mark.parametrize(
        "value", ["", "  ", None, 5, b"key", "hunter2\n", "hun\0ter2", "\ud800"]
    )
    def test_those_that_cannot_be_are_refused_without_being_shown(self, value: object) -> None:
        """The text names the setting and not its value."""
        for param, make in {
            "site_id": lambda: basic(value, "key"),
            "api_key": lambda: basic("site", value),
            "app_api_key": lambda: bearer(value),
        }.items():
            with pytest.raises(ParamError) as raised:
                make()
            assert raised.value.param == param
            assert "hunter2" not in str(raised.value)

    def test_a_site_id_has_no_colon(self) -> None:
        """Basic credentials could not be taken apart again."""
        with pytest.raises(ParamError, match="site_id"):
            basic("a:b", "c")

    def test_a_bearer_key_is_ascii(self) -> None:
        """No header can hold anything else."""
        with pytest.raises(ParamError, match="app_api_key"):
            bearer("kéy")

    def test_no_repr_shows_them(self) -> None:
        """Neither their own nor that of whoever has them."""
        credentials = basic("hunter1", "hunter2")
        shown = repr(credentials) + repr(Endpoint("https://track.customer.io", credentials))

        assert "hunter" not in shown
        assert base64.b64encode(b"hunter1:hunter2").decode() not in shown

    @pytest.mark.parametrize("user_agent", ["", "a\r\nX-Evil: 1", "é", 5])
    def test_a_user_agent_that_cannot_be_is_refused(self, user_agent: object) -> None:
        """It is a header."""
        with pytest.raises(ParamError, match="user_agent"):
            endpoint("https://track.customer.io", user_agent=user_agent)
