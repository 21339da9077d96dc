"""The Inn: boxes, the servers on them, and what is asked of them."""
