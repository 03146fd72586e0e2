"""What an ASGI server serves: `uvicorn shop.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from cio_events.integrations.asgi import DeliverAtShutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
# What is pending is delivered when the server has served its last request.
application = DeliverAtShutdown(get_asgi_application())
