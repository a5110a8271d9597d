"""Which input earned it: what the heads lose without one."""
