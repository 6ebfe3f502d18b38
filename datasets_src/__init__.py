"""From the files people have to immutable dataset versions: read, convert, check, de-duplicate, group, split, store."""
