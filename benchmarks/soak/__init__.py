"""Hours of mixed load in minutes."""
