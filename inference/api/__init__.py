"""The HTTP API: routes that call the rest of ``inference`` and have no logic of their own."""
