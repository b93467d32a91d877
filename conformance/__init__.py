"""Contract tests and API conformance for the pipeline operations of the Wallaroo MLOps API."""
