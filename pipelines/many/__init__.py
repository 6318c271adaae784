"""One chain over many recordings: which they are, what is done already, who does the rest, and what is told of it."""
