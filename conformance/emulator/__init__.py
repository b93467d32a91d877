"""The emulated instance: a real server of the API, with real tokens, a real database and a real model runtime."""
