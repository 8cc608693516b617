"""HTTP infrastructure: the application, middleware, errors, OpenAPI, request context and proxies."""
