"""Who is measured: what runs in each one's workers, and how orders are sent there. `benchmarks.contestants` starts them."""
