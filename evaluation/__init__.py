"""Is the tuned model better, by how much, and how sure is that: generation, tasks, metrics, verdict, report, chat."""
