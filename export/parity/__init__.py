"""Does what was written behave as the trained model did? Rendering, answers and stopping, probabilities, the task."""
