"""What every request passes before its route sees it, and what every answer gets.

- how large, how slow: `request_head`, `body_limit`; how often: `rate_limit`
- what may be said: `json_bodies`, `no_body`, `query`, `header_fields`; what is wrong with it, in words: `validation`
- around all of it: `observing` (an id, a log line, safe headers), `request_counts`, `head_requests`; on an outdated connection: `second_try`
"""
