"""What Prorata holds about a person, by email address, and how it is erased: `holdings` is the table of all of it.

Source: GDPR, articles 15 (access), 17 (erasure; 17(3)(b): not of what a law requires to be kept) and 20 (portability).
"""
