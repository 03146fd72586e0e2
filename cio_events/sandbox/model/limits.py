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
RECIPIENTS = 15  # to, cc and bcc of an e-mail together
ATTACHMENTS_BYTES = 2_000_000  # all attachments of an e-mail, before Base64
