"""A mailbox that takes every email by SMTP and shows it by JSON and in the browser; nothing leaves the machine.

Covered: SMTP with STARTTLS, implicit TLS, login and SMTPUTF8; the part of Mailpit's JSON API that reads, searches and
deletes, so that the same code reads either; pages; faults at every point of the SMTP dialogue (`POST /_control/faults`; their names are in `faults.py`).
Not covered: IMAP and POP3, relaying, tags, Mailpit's checks of HTML and links, setting messages unread.
"""
