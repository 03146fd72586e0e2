"""
A call as the bytes that Customer.io expects, and back.

`registry` has a row for each kind of call; `encode` makes the envelope in which one waits, and
`batch`, `single` and (for messages) `app` the request that sends it. Nothing here sends anything.
"""
