"""A shop in Django: who is logged in is bound once, and a checkout logs one event."""
