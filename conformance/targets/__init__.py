"""Where requests go: a live instance, the emulated one, or recordings. A target sends and returns an exchange."""
