"""A trace collector that receives OTLP over HTTP and stores the spans.

with collector() as traces:
    ...  # a server with otlp_endpoint=traces.url
assert traces.named("famichat.message")
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import leaks


@dataclass
class Traces:
    """What a collector has received."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]

    @property
    def text(self) -> str:
        """Return the full content of the spans."""
        return "\n".join(str(span) for span in self.spans)


@contextmanager
def collector() -> Iterator[Traces]:
    """Listen on a free port for as long as the block runs."""
    traces = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            leaks.look(str(request), "spans")
            assert self.path == "/v1/traces"
            traces.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        traces.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield traces
        server.shutdown()
