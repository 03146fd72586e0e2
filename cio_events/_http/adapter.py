"""Adapters of requests', with connections that keep deadlines, and sessions in forked children."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar

from cio_events._http.connections import OURS, THEIRS
from cio_events._http.exchange import current

if TYPE_CHECKING:
    import requests
    from requests.adapters import BaseAdapter


class _Pools(dict[str, Any]):
    """The pools of a manager, with ours where urllib3's own were."""

    def __init__(self, pools: dict[str, Any]) -> None:
        super().__init__(
            (scheme, OURS[scheme] if pool is THEIRS.get(scheme) else pool)
            for scheme, pool in pools.items()
        )


class _ProxyManagers(dict[str, Any]):
    """
    An adapter's managers for proxies, which it makes when it needs them.

    A SOCKS proxy's connections are urllib3's own: they keep the deadline for each wait only, and
    tell nothing.
    """

    def __setitem__(self, proxy: str, manager: Any) -> None:
        if proxy.lower().startswith("socks"):
            _observe_no_more()
        else:
            manager.pool_classes_by_scheme = _Pools(manager.pool_classes_by_scheme)
        super().__setitem__(proxy, manager)

    def __getitem__(self, proxy: str) -> Any:
        if proxy.lower().startswith("socks"):
            _observe_no_more()
        return super().__getitem__(proxy)


def _observe_no_more() -> None:
    exchange = current.get()
    if exchange is not None:
        exchange.observed = False


def keeps_deadlines(adapter: BaseAdapter) -> bool:
    """Whether *adapter* is one of `timed`'s."""
    manager = getattr(adapter, "poolmanager", None)
    return isinstance(getattr(manager, "pool_classes_by_scheme", None), _Pools)


def observes_all(adapter: BaseAdapter | None) -> bool:
    """Whether *adapter* is known to send by our connections, and in no other way."""
    if type(adapter) is not HTTPAdapter or not keeps_deadlines(adapter):
        return False
    manager: Any = adapter.poolmanager
    return set(manager.pool_classes_by_scheme.values()) <= set(OURS.values())


def timed(adapter: HTTPAdapter) -> HTTPAdapter:
    """
    An adapter like this one, whose connections keep the deadline of the exchange.

    It has its pins, certificates and sizes of pools; retries there are elsewhere, and not twice.
    """
    clone = _clone(adapter)
    manager: Any = clone.poolmanager
    manager.pool_classes_by_scheme = _Pools(manager.pool_classes_by_scheme)
    clone.proxy_manager = _ProxyManagers()
    clone.max_retries = urllib3.Retry(0, read=False)
    return clone


def keep_deadlines(session: requests.Session, url: str) -> HTTPAdapter | None:
    """
    Have an application's session keep deadlines below *url*, whatever its adapter there.

    Returns:
        The adapter that does so; None, if theirs is none of requests' kind.
    """
    theirs = session.get_adapter(url)
    if not isinstance(theirs, HTTPAdapter):
        return None
    if keeps_deadlines(theirs):
        return theirs
    if not isinstance(vars(theirs).get("poolmanager"), urllib3.PoolManager):
        return None
    ours = timed(theirs)
    session.mount(url, ours)
    return ours


def clone_session(session: requests.Session) -> requests.Session:
    """
    A session like this one that shares no connection with it.

    For a forked child, where the connections of the original are the parent's. Not by `copy`,
    which forgets what subclasses of sessions and adapters have of their own.
    """
    adapters = OrderedDict(
        (prefix, _clone(adapter) if isinstance(adapter, HTTPAdapter) else adapter)
        for prefix, adapter in session.adapters.items()
    )
    # The jar's lock may have been held when the process forked.
    cookies = RequestsCookieJar()
    cookies.update(session.cookies)
    return _like(session, adapters=adapters, cookies=cookies)


def _clone(adapter: HTTPAdapter) -> HTTPAdapter:
    manager = _like(adapter.poolmanager, pools=urllib3.PoolManager().pools)
    managers = _ProxyManagers() if keeps_deadlines(adapter) else {}
    return _like(adapter, poolmanager=manager, proxy_manager=managers)


_T = TypeVar("_T")


def _like(thing: _T, **changed: object) -> _T:
    other: _T = object.__new__(type(thing))
    other.__dict__.update(thing.__dict__, **changed)
    return other
