"""HTTP: routes that call the rest of ``inference``; no logic of their own."""
