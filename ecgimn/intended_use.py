"""The intended use, in one place: every page, export and card repeats it word for word."""

INTENDED_USE = (
    "For research, teaching and qualitative audit of ECG explanations. "
    "Not a medical device; not for diagnosis, triage, monitoring or patient care."
)
