"""What turns texts into numbers: word vectors, n-grams, frozen encoders."""
