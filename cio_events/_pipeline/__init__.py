"""Accept calls, own what delivers them, and deliver them before the process ends."""
