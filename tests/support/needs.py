"""Marks of tests that need a program which a machine may lack: there they are skipped."""

import pytest

from tests.support.redis_server import PROGRAM

needs_redis = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server")
