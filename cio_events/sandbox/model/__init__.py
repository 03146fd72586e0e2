"""What Customer.io takes and what it keeps: the records, the checks and the limits."""
