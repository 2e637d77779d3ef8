"""The vocabulary: objects, quantities, selectors, schemas, patches, defaults, validation. Pure."""
