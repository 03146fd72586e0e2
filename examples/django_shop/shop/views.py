"""What customers and visitors do, each logged as one event."""

from __future__ import annotations

import json

import structlog
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

log = structlog.get_logger()


def join_newsletter(request: HttpRequest) -> HttpResponse:
    """Log a line that is an event of somebody whom only their address is known of."""
    joined = json.loads(request.body)
    log.info("newsletter joined", cio_customer=joined["email"], source=joined["source"])
    return JsonResponse({"status": "joined"})


@login_required
@transaction.atomic
def checkout(request: HttpRequest) -> HttpResponse:
    """Log a line that is an event of who is logged in, once the order is kept for good."""
    order = json.loads(request.body)
    # Save the order here.
    transaction.on_commit(
        lambda: log.info("purchase", cio="track", product=order["product"], price=order["price"])
    )
    return JsonResponse({"status": "paid"})
