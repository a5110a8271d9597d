"""summarise: how a run ended, for people → a page of Markdown."""
