"""Exchanges kept in files: recordings and HAR, read and written, put in order, and answers compared."""
