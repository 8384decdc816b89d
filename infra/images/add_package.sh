#!/bin/sh
# The last layer of every image: the package itself, and the list of what is in the image.
# Runs beside the mounted tools and wheel; both stay out of the image.
set -eu
python=/opt/omnireel/bin/python
/opt/tools/bin/uv pip install --no-cache --offline --no-deps --compile-bytecode \
  --python "$python" /dist/*.whl
/opt/tools/bin/cyclonedx-py environment --output-reproducible -o /opt/omnireel/sbom.cdx.json "$python"
