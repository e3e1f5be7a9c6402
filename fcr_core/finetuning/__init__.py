"""Fine-tune a UNet with the FCR loss: feature distances, the pairs of steps that are compared, and the loss terms of a recipe."""
