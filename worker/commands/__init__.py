"""The `prorata` command, one module per group of subcommands."""
