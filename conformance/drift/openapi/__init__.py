"""OpenAPI documents read and compared, operation by operation."""
