// The official client, with an eye on every frame, and promises where it has callbacks.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import WebSocket from "ws";

globalThis.self ??= globalThis; // where the older client looks for the browser
globalThis.XMLHttpRequest ??= (process.env.PHOENIX ?? "").includes("1.7") ? FetchingRequest : undefined;
const phoenix = await import(process.env.PHOENIX ?? "phoenix");
export const { Presence, LongPoll } = phoenix;
export const legacy = (process.env.PHOENIX ?? "").includes("1.7");

const opened = [];

// A connected socket. `closes` collects the close codes it saw, `frames` every message from the server.
export function connect(options = {}, url = process.env.SERVER_URL) {
  const socket = new phoenix.Socket(`${url.replace(/^http/, "ws")}/socket`, {
    transport: WebSocket,
    params: { token: "good" },
    reconnectAfterMs: () => 50,
    rejoinAfterMs: () => 50,
    ...options,
  });
  socket.closes = [];
  socket.frames = [];
  socket.onClose((event) => socket.closes.push(event.code));
  socket.onMessage((message) => socket.frames.push(message));
  socket.connect();
  opened.push(socket);
  return socket;
}

// Ends every socket of this scenario, so that node can end too.
export function disconnectAll() {
  return Promise.all(opened.splice(0).map((socket) => new Promise((done) => socket.disconnect(done))));
}

export const within = (promise, what, ms = 15000) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} did not happen`)), ms).unref()),
  ]);

// What became of a push or a join: ["ok", response], ["error", response] or ["timeout"].
export const outcome = (push) =>
  within(
    new Promise((resolve) => {
      for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => resolve([status, response]));
    }),
    "an answer",
  );

export const event = (channel, name) =>
  within(new Promise((resolve) => channel.on(name, (payload) => resolve(payload))), name);

export async function until(condition, what = condition.toString()) {
  for (const deadline = Date.now() + 15000; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`${what} did not become true`);
    await pause(5);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const bytes = (...values) => new Uint8Array(values).buffer;

// A server of one's own, to stop and to start again.
export async function startServer(port = 0) {
  const process_ = spawn(process.env.PYTHON, [process.env.SERVER, "--port", String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = await within(once(createInterface(process_.stdout), "line"), "the server's start", 15000);
  const exited = once(process_, "exit");
  return {
    url,
    port: Number(new URL(url).port),
    stop: async (signal = "SIGTERM") => {
      process_.kill(signal);
      await within(exited, "the server's end", 15000);
    },
  };
}

// As much of a browser's XMLHttpRequest as the older client's long poll needs; the newer one has fetch().
function FetchingRequest() {
  const stop = new AbortController();
  const headers = {};
  this.open = (method, url) => Object.assign(this, { method, url });
  this.setRequestHeader = (name, value) => (headers[name] = value);
  this.abort = () => stop.abort();
  this.send = async (body) => {
    try {
      const response = await fetch(this.url, { method: this.method, headers, body, signal: stop.signal });
      Object.assign(this, { responseText: await response.text(), status: response.status, readyState: 4 });
      this.onreadystatechange();
    } catch (error) {
      if (!stop.signal.aborted) this.onerror(error);
    }
  };
}
