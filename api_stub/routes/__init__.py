"""The API's operations, one module for each kind of thing that they are about. A route reads, calls `tasks` and answers; it decides nothing."""
