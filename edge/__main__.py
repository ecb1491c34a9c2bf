"""python -m edge"""

from edge.app import open_app
from edge.settings import EdgeSettings
from runtime import process

if __name__ == "__main__":
    process.run("edge", EdgeSettings, open_app)
