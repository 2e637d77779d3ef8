"""How every component talks to the API server, and the caches of what it watches."""
