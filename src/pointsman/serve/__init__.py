"""The only async room and the only HTTP: the gateway in front of real endpoints.

`app` is what an ASGI server runs. A request is read (`wire`), decided and held (`switchboard`), answered by an
upstream (`exchange`, `upstreams`), and settled in a shielded finally. Beside it `learn` keeps prices true.
"""
