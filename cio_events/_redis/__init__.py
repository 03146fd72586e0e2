"""What lies in Redis between who publishes calls and the relay, and the connection to it."""
