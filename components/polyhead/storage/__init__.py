"""All bytes in and out: places, tables, whole artifact directories, digests."""
