"""Environment variables: set, imported, encrypted, versioned, compared."""
