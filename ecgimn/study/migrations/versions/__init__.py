"""One file per version of the study database, each naming the one before."""
