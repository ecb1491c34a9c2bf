"""What gRPC reflection tells of the contract: the files as protoc described them, JSON names included."""

from importlib.resources import files

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2


def reflect(server: grpc.aio.Server, names: list[str]) -> None:
    """Let the server describe these services.

    The descriptions inside generated Python code lack the JSON names, and tools would then print `order_id` where every other
    face of the contract says `orderId`; the descriptor set that Envoy loads has them.
    """
    pool = DescriptorPool()
    contract = FileDescriptorSet.FromString(files("gen").joinpath("trading.binpb").read_bytes())
    for file in contract.file:
        pool.AddSerializedFile(file.SerializeToString())
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server, pool)
