"""Where accepted calls wait until they have ended: in memory, or in a spool on disk."""
