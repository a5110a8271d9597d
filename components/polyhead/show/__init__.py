"""show: any artifact → what it is, from what it was made, and whether it is whole."""
