"""Whether image, compose file, manifests and dashboards agree with the code, without an engine: `python -m infra.deploy_check`."""
