"""Jobs at work: what each kind does, and the service that takes them from the save's one table and does them."""
