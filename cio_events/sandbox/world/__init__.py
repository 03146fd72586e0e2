"""What the sandbox knows: one workspace's people, events, objects and messages."""
