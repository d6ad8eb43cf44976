"""Weir, a gateway for Amazon Bedrock, as a Python package: the program is inside, and `weir` on the path starts it."""

import os
import sys
from pathlib import Path

__all__ = ["executable", "main"]

# Where systems that are not Debian keep the certificates that they trust.
_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch: the program looks here by itself
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)


def executable():
    """The path of the program."""
    return str(Path(__file__).parent / "bin" / "weir")


def main():
    """Becomes the program: same process, arguments, streams and signals."""
    if "SSL_CERT_FILE" not in os.environ:
        store = next((path for path in _STORES if os.path.exists(path)), _STORES[0])
        if store != _STORES[0]:
            os.environ["SSL_CERT_FILE"] = store
    program = executable()
    os.execv(program, [program, *sys.argv[1:]])
