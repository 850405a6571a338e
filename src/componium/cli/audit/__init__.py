"""What `componium corpus audit` shows: what is found of each item, its card, and the page."""
