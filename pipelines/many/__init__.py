"""Many recordings."""
