"""Send batches to Customer.io or store them for a relay, and turn the answers into verdicts."""
