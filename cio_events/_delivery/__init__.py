"""When calls are sent, in what order, and who is told; names no vendor and no protocol."""
