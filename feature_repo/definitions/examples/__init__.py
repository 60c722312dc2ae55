"""Examples of the bundled tables: plays, and the features that follow. ``refrain test --all`` runs them."""
