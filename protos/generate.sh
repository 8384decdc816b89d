#!/usr/bin/env bash
# Generates the Python stubs of protos/omnireel/api/v1.
#   protos/generate.sh [OUTPUT_FOLDER]      default: the repository root
# PYTHON names the interpreter that has grpcio-tools and mypy-protobuf (default: python3).
set -euo pipefail

protos="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="${1:-$(dirname "$protos")}"
python="${PYTHON:-python3}"

site="$("$python" -c 'import google.rpc.status_pb2 as m, pathlib
print(pathlib.Path(m.__file__).parents[2])')"
PATH="$(dirname "$(command -v "$python")"):$PATH"  # protoc finds its mypy plug-ins on the path

# The wheel ships this file as operations_proto.proto, yet registers it under its canonical name.
include="$(mktemp -d)"
trap 'rm -rf "$include"' EXIT
mkdir -p "$include/google/longrunning"
cp "$site/google/longrunning/operations_proto.proto" "$include/google/longrunning/operations.proto"

"$python" -m grpc_tools.protoc -I "$protos" -I "$include" -I "$site" \
  --python_out="$out" --mypy_out="quiet:$out" --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" \
  "$protos"/omnireel/api/v1/*.proto

# protoc writes a service module for every file; keep only those that hold a service.
for file in "$protos"/omnireel/api/v1/*.proto; do
  grep -q '^service ' "$file" || rm -f "$out/omnireel/api/v1/$(basename "$file" .proto)"_pb2_grpc.py*
done
