"""The description of the socket for programs, docs/asyncapi.yaml: made of what the edge decodes with and of the protos."""
