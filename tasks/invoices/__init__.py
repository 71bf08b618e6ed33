"""Invoices and credit notes as customers get them: the content (`page`), laid out as HTML and as PDF.

Pure: no database, no clock. The same document gives the same bytes, today and in ten years.
"""
