"""Making rows with a teacher model: a resumable job that asks one or several endpoints and keeps what is good."""
