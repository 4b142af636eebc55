"""clipcond."""
