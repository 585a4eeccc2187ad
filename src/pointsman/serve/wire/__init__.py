"""API shapes on the client's side: bodies to queries, and OpenAI's chat shape to what the client asked in. No I/O."""
