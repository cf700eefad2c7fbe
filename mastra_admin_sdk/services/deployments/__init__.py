"""Deployments and the one path to live: servers, hosts, and what people can ask of them."""
