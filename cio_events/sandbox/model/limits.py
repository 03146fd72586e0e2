"""The limits that Customer.io documents, in bytes of UTF-8 unless said otherwise."""

from __future__ import annotations

# https://docs.customer.io/accounts-and-workspaces/limits/ and the schema of the Track API.
IDENTIFIER_BYTES = 150
EVENT_NAME_BYTES = 100
EVENT_DATA_BYTES = 100_000
ATTRIBUTE_NAME_BYTES = 150
ATTRIBUTES_PER_CALL = 300
OPERATION_BYTES = 32_000  # one v2 operation, alone or in a batch
BATCH_BYTES = 500_000  # a whole v2 batch
SEGMENT_CUSTOMERS = 1_000  # people a request to a manual segment
BROADCAST_SECONDS = 10  # between two triggers of one broadcast
BROADCAST_RECIPIENTS = 10_000  # ids or addresses that a trigger names
RECIPIENTS = 15  # to, cc and bcc of an e-mail together
MESSAGE_BYTES = 2_048_000  # a whole transactional message, as JSON

# The sandbox's own: Customer.io documents none, and a machine's memory has an end.
BODY_BYTES = 4_000_000
DEPTH = 190  # objects and lists within one another, in one operation
DEPTH_SHOWN = 200  # and in what is shown of a body that has more
MOMENT = 2**53  # later seconds are no time
REQUESTS_KEPT = 10_000
REQUEST_BYTES_KEPT = 100_000_000
EVENTS_KEPT = 100_000
MESSAGES_KEPT = 1_000
MESSAGE_BYTES_KEPT = 100_000_000
METRICS_KEPT = 10_000
EVENT_IDS_KEPT = 1_000_000  # of those, repeats are known
