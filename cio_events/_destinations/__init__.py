"""Send batches to Customer.io, and turn its answers into verdicts."""
