// A gateway that speaks HTTP/2 (Node's), over TLS where there is a certificate, in front of the functions at --to.
//
//   node http2_gateway.mjs --port PORT --to URL --seen FILE [--certificate PEM --key PEM] [--without-http2]
//                          [--streams N] [--goaway N]
//
// What each request came with is appended to --seen: the version of HTTP, and a number for the connection. At most
// --streams streams are open at once; after --goaway requests a connection goes away, as in a rolling restart.
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" }, to: { type: "string" }, seen: { type: "string" },
    certificate: { type: "string" }, key: { type: "string" }, "without-http2": { type: "boolean" },
    streams: { type: "string" }, goaway: { type: "string" },
  },
});
const agent = new http.Agent({ keepAlive: true });
const connections = new Map(); // sessions and sockets, in the order of their coming

function numberOf(connection) {
  if (!connections.has(connection)) connections.set(connection, { number: connections.size, requests: 0 });
  return connections.get(connection);
}

function onRequest(request, response) {
  const session = request.stream?.session;
  const connection = numberOf(session ?? request.socket);
  fs.appendFileSync(options.seen, `${request.httpVersion} ${connection.number}\n`);
  const headers = { "content-type": request.headers["content-type"] };
  const onward = http.request(options.to, { method: "POST", agent, headers }, (answer) => {
    const offer = answer.headers["statefun-bundles"];
    response.writeHead(answer.statusCode, { "content-type": answer.headers["content-type"],
                                            ...(offer && { "statefun-bundles": offer }) });
    answer.pipe(response);
  });
  request.pipe(onward);
  if (session && options.goaway && ++connection.requests == options.goaway) session.close();
}

const tls = options.certificate && {
  cert: fs.readFileSync(options.certificate), key: fs.readFileSync(options.key),
};
const settings = options.streams ? { maxConcurrentStreams: Number(options.streams) } : {};
let server;
if (options["without-http2"]) server = tls ? https.createServer(tls, onRequest) : http.createServer(onRequest);
else if (tls) server = http2.createSecureServer({ ...tls, allowHTTP1: true, settings }, onRequest);
else server = http2.createServer({ settings }, onRequest);
server.listen(Number(options.port), "127.0.0.1");
