"""What can be asked of Customer.io: the calls, their arguments, and the limits on these."""
