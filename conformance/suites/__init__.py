"""The suites: pytest modules that find requests worth making, run by `conformance run` or `pytest --pyargs`."""
