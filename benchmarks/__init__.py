"""What the README's speed and memory figures come from."""
