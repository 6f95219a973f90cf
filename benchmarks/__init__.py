"""What obs2anki costs, beside the floor of the machine that it runs on."""
