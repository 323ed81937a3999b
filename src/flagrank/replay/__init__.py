"""Plays a history through rankings of the review queue: what each would have caught, and when."""
