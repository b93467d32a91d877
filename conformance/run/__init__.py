"""One run: settings, session, facts, verdict, and the pytest plugin that carries them."""
