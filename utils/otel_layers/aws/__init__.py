"""The one typed boundary to AWS, and the embedded AWS: a moto server with what moto lacks added."""
