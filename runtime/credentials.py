"""What gRPC calls credentials, made of certificate files: of a server, which reads them again when they change; of a channel."""

import grpc

from runtime import logs
from runtime.tls import Tls, TlsError

logger = logs.get_logger("runtime.credentials")


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return the credentials of a server; with authorities (`tls.ca`) every caller must show a certificate of theirs.

    New files are used for new connections from the moment they are all there. Raises TlsError when the first ones cannot be used.
    """
    pems, stamp = _configuration(tls), tls.stamp()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Return new files if there are any; called by gRPC for every new connection."""
        nonlocal stamp
        try:
            now = tls.stamp()
            if now == stamp:
                return None
            made = _configuration(tls)
        except TlsError as error:
            # Files are replaced one after the other; the next connection looks again.
            logger.warning("certificate not renewed, the last one counts", error=str(error))
            return None
        stamp = now
        logger.info("certificate renewed", path=tls.certificate)
        return made

    return grpc.dynamic_ssl_server_credentials(
        pems,
        renewed,  # type: ignore[arg-type]  # the stubs do not know that None means no change
        require_client_authentication=bool(tls.ca),
    )


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    pems = tls.pems()
    if pems.key is None or pems.chain is None:
        raise TlsError("TLS_CERT, TLS_KEY: a server needs both")
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.chain)], root_certificates=pems.ca)


def channel_credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Return the credentials of a channel: the server must show a certificate of our authorities. Raises TlsError."""
    pems = tls.pems()
    return grpc.ssl_channel_credentials(root_certificates=pems.ca, private_key=pems.key, certificate_chain=pems.chain)
