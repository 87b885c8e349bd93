# SPDX-License-Identifier: Apache-2.0
"""A small OpenID Connect issuer on loopback: it has keys, signs what it is told to, by openssl, and lets people log in in a browser."""
import base64
import contextlib
import hashlib
import html
import http.server
import json
import os
import secrets
import subprocess
import tempfile
import threading
import time
import urllib.parse

LIMIT = 60


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True, timeout=LIMIT).stdout


class Issuer:
    """One RSA key, and what is served of it."""

    CLIENT, SECRET = "spalloc web", "the client's own secret"

    def __init__(self, directory, host, port):
        self.url = f"http://{host}:{port}/realms/lab"
        self.requests = []
        # Logins that are under way, by code; and what is otherwise than it should be in their ID tokens.
        self.codes = {}
        self.lies = {}
        self.key = os.path.join(directory, "issuer.pem")
        openssl("genrsa", "-out", self.key, "2048")
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
                    "n": base64url(bytes.fromhex(modulus)), "e": base64url((65537).to_bytes(3, "big"))}

    def document(self, path):
        self.requests.append(path)
        if path == "/realms/lab/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.url + "/certs", "authorization_endpoint": self.url + "/auth",
                    "token_endpoint": self.url + "/token", "code_challenge_methods_supported": ["S256"]}
        if path == "/realms/lab/certs":
            # As Keycloak has it: a key to encrypt, too.
            return {"keys": [{**self.jwk, "kid": "2", "use": "enc", "alg": "RSA-OAEP"}, self.jwk]}
        return None

    # Logins in a browser

    def page(self, query):
        """Where people say who they are, which is all that is asked here."""
        assert query["client_id"] == self.CLIENT and query["response_type"] == "code", query
        assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split(), query
        hidden = "".join(f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in query.items())
        return (f'<!DOCTYPE html><title>The lab</title><form method="post">{hidden}<input id="user" name="user">'
                '<button name="do" value="yes">I am that</button><button name="do" value="no">No</button>'
                '<button name="do" value="show">Show me</button></form>')

    def decide(self, form):
        """:return: where the browser is sent; and whether at once"""
        answer = {"state": form["state"]}
        if form["do"] == "no":
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.codes[answer["code"]] = form
        return form["redirect_uri"] + "?" + urllib.parse.urlencode(answer), form["do"] != "show"

    def exchange(self, form, authorization):
        """:return: status and reply of the token endpoint"""
        pair = f"{urllib.parse.quote(self.CLIENT, safe='')}:{urllib.parse.quote(self.SECRET, safe='')}"
        if authorization != "Basic " + base64.b64encode(pair.encode()).decode():
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form["code"], None)
        challenge = base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (not begun or form["grant_type"] != "authorization_code" or form["redirect_uri"] != begun["redirect_uri"]
                or challenge != begun["code_challenge"]):
            return 400, {"error": "invalid_grant"}
        token = self.token(begun["user"], **{"aud": self.CLIENT, "nonce": begun["nonce"], **self.lies})
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}

    def token(self, name, life=300, **claims):
        now = int(time.time())
        claims = {"iss": self.url, "aud": ["account", "spalloc"], "sub": "id of " + name, "preferred_username": name,
                  "iat": now, "exp": now + life, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return text + "." + base64url(openssl("dgst", "-sha256", "-sign", self.key, data=text.encode()))


@contextlib.contextmanager
def issuer(host="127.0.0.1"):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            if path == "/realms/lab/auth":
                return self.reply(200, self.server.issuer.page(dict(urllib.parse.parse_qsl(query))), "text/html")
            document = self.server.issuer.document(self.path)
            self.reply(200 if document else 404, json.dumps(document))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(urllib.parse.parse_qsl(body))
            if self.path == "/realms/lab/token":
                status, reply = self.server.issuer.exchange(form, self.headers["Authorization"])
                return self.reply(status, json.dumps(reply))
            place, at_once = self.server.issuer.decide(form)
            if at_once:
                return self.reply(302, "", location=place)
            self.reply(200, f'<!DOCTYPE html><title>The lab</title><a href="{html.escape(place)}">back</a>', "text/html")

        def reply(self, status, text, kind="application/json", location=None):
            body = text.encode()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory(prefix="spalloc-issuer-") as directory:
        with http.server.ThreadingHTTPServer((host, 0), Handler) as server:
            server.issuer = Issuer(directory, host, server.server_port)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield server.issuer
            finally:
                server.shutdown()
                thread.join(LIMIT)
