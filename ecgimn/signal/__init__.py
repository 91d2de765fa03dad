"""Reading the signal itself: preprocessing, quality, waves, measurements, findings."""
