"""Pure rules of money, time, price, tax and cart: no I/O, no clock, no database."""
