"""`prorata demo`: sample orders placed over HTTP, followed, and held against what must come of them."""
