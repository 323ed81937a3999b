"""The one place that wires the parts together: one module for each role, and those that the roles share."""
