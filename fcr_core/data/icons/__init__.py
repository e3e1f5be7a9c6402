"""Six sets of emoji and signs as vector pictures: how they are fetched, read, drawn, named alike, freed of copies and split."""
