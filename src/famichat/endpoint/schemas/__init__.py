"""Request and response models that several modules of the HTTP API share."""
