"""Certificates made by the openssl command, for the length of a test run."""
import subprocess
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


class Authority:
    """A CA, and what it issues; all of it PEM files in a directory."""

    def __init__(self, directory, name="ca"):
        self.directory = Path(directory)
        self.certificate = self.directory / f"{name}.pem"
        self.key = self.directory / f"{name}.key"
        openssl("req", "-x509", *KEY, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, names="IP:127.0.0.1,DNS:localhost", days=2, password=None):
        """A certificate and its key (PKCS#8, encrypted if there is a password)."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        secrecy = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("req", "-new", *KEY, *secrecy, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-days", str(days), "-extfile", extensions, "-out", certificate)
        return certificate, key
