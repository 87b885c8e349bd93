# SPDX-License-Identifier: Apache-2.0
"""Starts nginx with packaging/nginx.conf before a service, and stops it."""
import contextlib
import os
import shutil
import socket
import subprocess
import time

from demo_service import ROOT, START_LIMIT, STOP_LIMIT
from spallocd import free_port

SHIPPED = os.path.join(ROOT, "packaging", "nginx.conf")
AROUND = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log notice;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""


def binary():
    """nginx, or None."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def certificate(directory):
    """A self-signed one for 127.0.0.1; its file is also the authority to trust."""
    chain, key = os.path.join(directory, "fullchain.pem"), os.path.join(directory, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=spalloc test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", key, "-out", chain], check=True, capture_output=True, timeout=START_LIMIT)
    return chain, key


@contextlib.contextmanager
def nginx(directory, port, base_path="/spalloc/", timeout="60s"):
    """The shipped file with this service's port and path. Gives the service's URL by TLS and the certificate to trust."""
    chain, key = certificate(directory)
    listen = free_port()
    with open(SHIPPED) as text:
        site = text.read()
    for old, new in (
            ("server 127.0.0.1:8080;", f"server 127.0.0.1:{port};"), ("listen 443 ssl;", f"listen 127.0.0.1:{listen} ssl;"),
            ("/etc/nginx/spalloc/fullchain.pem", chain), ("/etc/nginx/spalloc/key.pem", key),
            ("location /spalloc/ {", f"location {base_path} {{"), ("proxy_read_timeout 60s;", f"proxy_read_timeout {timeout};"),
            ("proxy_send_timeout 60s;", f"proxy_send_timeout {timeout};")):
        if site.count(old) != 1:
            raise RuntimeError(f"packaging/nginx.conf has {old!r} {site.count(old)} times")
        site = site.replace(old, new)
    with open(os.path.join(directory, "site.conf"), "w") as text:
        text.write(site)
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w") as text:
        text.write(AROUND.format(directory=directory))
    process = subprocess.Popen([binary(), "-c", path, "-p", directory], stdin=subprocess.DEVNULL)
    try:
        _wait_until_listening(process, listen)
        yield f"https://127.0.0.1:{listen}{base_path}", chain
    finally:
        process.terminate()
        process.wait(STOP_LIMIT)


def _wait_until_listening(process, port):
    limit = time.monotonic() + START_LIMIT
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            raise RuntimeError("nginx ended before it listened")
        if time.monotonic() > limit:
            raise RuntimeError("nginx was not ready in time")
        time.sleep(0.02)
