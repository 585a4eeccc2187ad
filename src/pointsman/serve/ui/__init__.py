"""The dashboard at `/ui`: static pages, and the data they show. It decides nothing and holds no money of its own."""
