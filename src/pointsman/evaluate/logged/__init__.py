"""A user's own log, judged: what other policies would have served, cost and scored, in time order, under given funds.

`dense` plays a log that knows every model's outcome through the bench's own machinery; `sparse` asks what can be said
where each query has one outcome, by `offpolicy`. `choosing` names the policies; `sparse_tables`, `sparse_pictures` and
`sparse_page` tell what came of it. A gateway's own decisions are made again by `serve.agreement`.
"""
