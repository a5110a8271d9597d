"""All bytes in and out: places, the stores that they are in, whole artifact directories, digests."""
