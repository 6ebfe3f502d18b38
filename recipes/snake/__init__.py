"""Snake: four path-finding teachers play, a small model learns to move as the teacher named in the prompt would."""
