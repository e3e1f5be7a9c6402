"""The page that people look at: one HTML file with verdicts, figures, images and tables that opens without a network."""
