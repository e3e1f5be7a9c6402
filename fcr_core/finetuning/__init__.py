"""The FCR loss: distances of features, the pairs of steps that are compared, and the terms of a recipe."""
