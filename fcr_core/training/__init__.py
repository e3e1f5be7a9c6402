"""Train networks: one training loop for all, the data it reads, and the networks of the pocket backbone."""
