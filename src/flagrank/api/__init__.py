"""HTTP: the FastAPI application, one module a resource, and the plain-ASGI route that scores."""
