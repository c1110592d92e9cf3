"""The export of systems as ONNX graphs."""
