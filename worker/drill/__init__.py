"""`prorata drill`: kill and cut off parts of the running stack, then hold every order against the world's own books."""
