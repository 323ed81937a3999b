"""The data scientists' side: fit, calibrate, evaluate, convert to ONNX, write the package, report."""
