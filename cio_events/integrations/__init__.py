"""One module for each framework that needs something of its own, imported only when asked for."""
