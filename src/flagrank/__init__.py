"""flagrank ranks user reports: calibrated scores become an expected-harm order."""
