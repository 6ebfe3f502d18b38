"""Models that suit a card of one's own: their facts, kept as data, and advice on which kind to take."""
