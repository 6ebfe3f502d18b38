"""One module for each subject: `find` says what follows from a machine's facts, and reads nothing itself."""
