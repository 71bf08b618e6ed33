"""Real HTTP and SMTP servers that behave like the services we call, faults included."""
