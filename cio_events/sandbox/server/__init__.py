"""HTTP around the paths: serving, credentials, faults and the journal."""
