"""Charts and tables beside the ECG."""
