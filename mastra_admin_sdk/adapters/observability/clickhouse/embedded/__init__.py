"""The engine that comes with the package: one process per home opens chDB and serves it on loopback.

Client's side: `launcher`, `upgrade`, `listener`, `record`. Engine's side, from outside in: `__main__` (into the
background), `process` (open, listen, clean up), `logfile`, `server` (clients), `connection` (one client), `protocol`
and `blocks` (bytes), `settings` and `statements` (what may run), `planning` (what is remembered of it), `insertion`
(what is sent), `sessions` (chDB), `watch` (cancel and time-outs), `sandbox` (the kernel's help). chDB is loaded on the
engine's side only, in `sessions`.
"""
