"""
The vendor's limits, as its documentation of the Track API and the App API gives them.

Sizes are in bytes of UTF-8 or of JSON.
"""

from __future__ import annotations

ID_BYTES = 150

EVENT_NAME_BYTES = 100

# Of an event's data, or of a person's attributes.
DATA_BYTES = 100_000

ATTRIBUTES = 300

ATTRIBUTE_NAME_BYTES = 150

# A longer value does not make Customer.io refuse the call: it is sent, with one warning.
ATTRIBUTE_VALUE_BYTES = 1_000

V2_OPERATION_BYTES = 32_000

V2_BATCH_BYTES = 500_000

# Of one e-mail's attachments together, before Base64. The only size of a message that the
# documentation of the App API bounds.
ATTACHMENTS_BYTES = 2_000_000

# Ids, or e-mail addresses, of a triggered broadcast.
BROADCAST_RECIPIENTS = 10_000

# People of one request about a manual segment, and the highest number that a segment can have.
SEGMENT_CUSTOMERS = 1_000

SEGMENT_ID = 2**31 - 1

# The budget for walking what a call holds, which bounds time and memory whatever that is: how
# many values, and how deep. The bytes of texts are bounded too.
NODES = 10_000

DEPTH = 128

MESSAGE_BYTES = 4_000_000
