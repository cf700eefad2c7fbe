// Keeps the server on our address when Mastra's configuration can't be reached: before 1.0 the core is bundled into the
// output, so no hook meets it, and it listens on every interface.
import net from 'node:net';
import { guarded } from './complaints.mjs';

const EVERYWHERE = new Set(['', '0.0.0.0', '::', '[::]', '::0', '0:0:0:0:0:0:0:0']);
const MASTRAS_START = /\bcreateNodeServer\b/; // the function that starts a built server, in all versions so far
const DEEP_ENOUGH = 40;

/**
 * Changes how TCP servers of this process listen: without a host or on every interface means on `host`, and Mastra's own
 * server takes `port` whatever the app's configuration says. Other ports, other hosts, sockets and handles stay.
 */
export function forceListening({ host, port } = {}, isMastras = isCalledByMastra) {
  if (!host) return;
  const { listen } = net.Server.prototype;
  const value = function (...args) {
    const changed = guarded('setting where a server listens', () => change(args, host, port, isMastras));
    return Reflect.apply(listen, this, changed ?? args);
  };
  Object.defineProperty(net.Server.prototype, 'listen', { value, configurable: true, writable: true, enumerable: true });
}

/** Returns the arguments to use instead; undefined when it is no TCP server, or one that may listen where it wants. */
function change(args, host, port, isMastras) {
  const [first, ...rest] = args;
  if (isOptions(first)) {
    const moved = move(first, host, port, isMastras);
    return moved && [{ ...first, ...moved }, ...rest];
  }
  if (!isPort(first)) return undefined;
  const hasHost = typeof rest[0] === 'string';
  const moved = move({ port: first, host: hasHost ? rest[0] : undefined }, host, port, isMastras);
  return moved && [moved.port, moved.host, ...rest.slice(hasHost || rest[0] == null ? 1 : 0)];
}

function move(wanted, host, port, isMastras) {
  const isEverywhere = wanted.host == null || EVERYWHERE.has(wanted.host);
  if (port && isMastras()) return { port, host };
  return isEverywhere ? { port: wanted.port, host } : undefined;
}

function isOptions(value) {
  return value !== null && typeof value === 'object' && isPort(value.port) && value.path == null && value.fd == null && !value._handle;
}

/** `listen()` and `listen(null)` mean any port; a text that is no number is the path of a socket. */
function isPort(value) {
  return value == null || typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value.trim()));
}

function isCalledByMastra() {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = DEEP_ENOUGH;
  try {
    return MASTRAS_START.test(String(new Error('where from').stack));
  } finally {
    Error.stackTraceLimit = before;
  }
}
