"""What our image needs beside the services: the probe that says whether the one in it serves, and the gateway's files."""
