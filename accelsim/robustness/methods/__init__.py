"""What attacks run in torch and Foolbox; imported by an attack only when it is run."""
