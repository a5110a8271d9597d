"""What the report page is made of: its palette, its charts and its tables."""
