"""The shipped workloads: one network a file, with its trained weights and their card beside it."""
