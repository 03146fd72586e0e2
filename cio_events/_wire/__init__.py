"""
A call as the bytes that Customer.io expects, and back.

`envelope` holds what a waiting call looks like; `v2`, `v1` and (for messages) `app` hold the
three wires. Nothing here sends anything.
"""
