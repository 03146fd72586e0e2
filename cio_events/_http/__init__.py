"""Send one request within its time, and read the answer."""
