"""A language model as judge: asked in both orders, checked against people's votes, refused where it fails."""
