# SPDX-License-Identifier: Apache-2.0
"""A small OpenID Connect issuer on loopback: it has keys, and signs what it is told to, by openssl."""
import base64
import contextlib
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time

LIMIT = 60


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True, timeout=LIMIT).stdout


class Issuer:
    """One RSA key, and what is served of it."""

    def __init__(self, directory, port):
        self.url = f"http://127.0.0.1:{port}/realms/lab"
        self.requests = []
        self.key = os.path.join(directory, "issuer.pem")
        openssl("genrsa", "-out", self.key, "2048")
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
                    "n": base64url(bytes.fromhex(modulus)), "e": base64url((65537).to_bytes(3, "big"))}

    def document(self, path):
        self.requests.append(path)
        if path == "/realms/lab/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.url + "/certs"}
        if path == "/realms/lab/certs":
            # As Keycloak has it: a key to encrypt, too.
            return {"keys": [{**self.jwk, "kid": "2", "use": "enc", "alg": "RSA-OAEP"}, self.jwk]}
        return None

    def token(self, name, life=300, **claims):
        now = int(time.time())
        claims = {"iss": self.url, "aud": ["account", "spalloc"], "sub": "id of " + name, "preferred_username": name,
                  "iat": now, "exp": now + life, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return text + "." + base64url(openssl("dgst", "-sha256", "-sign", self.key, data=text.encode()))


@contextlib.contextmanager
def issuer():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            document = self.server.issuer.document(self.path)
            body = json.dumps(document).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory(prefix="spalloc-issuer-") as directory:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.issuer = Issuer(directory, server.server_port)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield server.issuer
            finally:
                server.shutdown()
                thread.join(LIMIT)
