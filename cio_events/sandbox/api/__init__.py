"""The vendor's paths: what each does to the world and what it answers."""
