"""What happens: one module per step of an order, and the pipeline that strings them together."""
