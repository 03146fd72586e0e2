"""`cio-events relay`: deliver what publishers have left in Redis, one process of several."""
