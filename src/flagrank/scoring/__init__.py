"""Scoring: the model package, its ONNX session, and reports as float32 columns."""
