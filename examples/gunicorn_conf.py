"""
How gunicorn serves the shop of flask_app.py: the application is loaded once, and forked.

    gunicorn --config examples/gunicorn_conf.py --chdir examples flask_app:app

gunicorn handles SIGTERM itself, and each worker delivers what it has logged before it ends.
"""

from __future__ import annotations

bind = "127.0.0.1:8000"
workers = 2
# Each worker begins with nothing pending, and with a thread and connections of its own.
preload_app = True
# Longer than the option exit_timeout, so that gunicorn does not end a worker that delivers.
graceful_timeout = 10
