"""Text for the screen that is made of numbers."""
