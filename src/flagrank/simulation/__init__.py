"""Synthetic reports whose chance of being actionable is known: for the demo, for tests, for teaching."""
