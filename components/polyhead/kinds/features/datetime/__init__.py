"""Dates and times, as seconds since 1970 and as places in the day, the week and the year."""
