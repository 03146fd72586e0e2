"""What of structlog's and logging's set-up keeps tagged records from us, and who is told of it."""
