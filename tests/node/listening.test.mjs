// Where servers of the app listen, in real processes: what a bundled Mastra does is done here by hand.
import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, test } from 'node:test';
import { runServer } from './helpers.mjs';

/** Runs `source`, which prints addresses as JSON lines, under the preload with a host and a port to be on. */
async function listen(t, source, { port } = {}) {
  port ??= await findPort();
  const head = `
    import http from 'node:http';
    import net from 'node:net';
    const tell = server => server.on('listening', () => { console.log(JSON.stringify(server.address())); server.close(); });
    const give = () => tell(http.createServer());
  `;
  const variables = { MASTRA_ADMIN_SERVER: JSON.stringify({ host: '127.0.0.1', port, drainTimeout: 1000 }), PORT: String(port) };
  const server = await runServer(t, head + source, { variables });
  assert.equal(server.code, 0, server.stderr);
  const addresses = server.stdout.trim().split('\n').map(line => JSON.parse(line));
  return { port, addresses };
}

function findPort() {
  return new Promise(resolve => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

describe('a server of the app', { concurrency: 2 }, () => {
  for (const [name, call] of [
    ['a port', 'listen(0)'],
    ['a port and a callback', 'listen(0, () => {})'],
    ['nothing', 'listen()'],
    ['every interface', `listen(0, '0.0.0.0')`],
    ['every interface of IPv6', `listen(0, '::', 511)`],
    ['options', 'listen({ port: 0 })'],
    ['options with every interface', `listen({ port: 0, host: '0.0.0.0', backlog: 5 }, () => {})`],
    ['a port as text', `listen('0')`],
  ]) {
    test(`listens on loopback when it asks for ${name}`, async t => {
      const { addresses } = await listen(t, `give().${call};`);
      assert.equal(addresses[0].address, '127.0.0.1');
    });
  }

  test('keeps a host, a port and a callback of its own', async t => {
    const other = await findPort();
    const { addresses } = await listen(t, `give().listen(${other}, '127.0.0.2', () => console.log('{"called":true}'));`);
    assert.deepEqual(addresses.map(({ address, port, called }) => called ?? [address, port]), [['127.0.0.2', other], true]);
  });

  test('may listen on a socket file', async t => {
    const { addresses } = await listen(t, `give().listen('./app.sock'); give().listen({ path: './other.sock' });`);
    assert.deepEqual(addresses, ['./app.sock', './other.sock']);
  });
});

describe("Mastra's own server", () => {
  for (const [name, call] of [
    ['its default', 'listen(4111)'],
    ['a port and a host of the app', `listen(3000, '0.0.0.0')`],
    ['a host name', `listen(3000, 'localhost')`],
    ['options', `listen({ port: 3000, host: '::' })`],
  ]) {
    test(`is where the runner says, whatever it asks for: ${name}`, async t => {
      const { port, addresses } = await listen(t, `async function createNodeServer() { await null; return give().${call}; }\nawait createNodeServer();`);
      assert.deepEqual([addresses[0].address, addresses[0].port], ['127.0.0.1', port]);
    });
  }

  test('leaves the ports of other servers alone', async t => {
    const { port, addresses } = await listen(t, `give().listen(0);\nfunction createNodeServer() { give().listen(4111); }\ncreateNodeServer();`);
    assert.equal(addresses.length, 2);
    assert.equal(addresses.filter(address => address.port === port).length, 1);
  });
});

test('a server without settings listens where it wants', async t => {
  const server = await runServer(t, `
    import net from 'node:net';
    const server = net.createServer().listen(0, () => { console.log(server.address().address); server.close(); });
  `);
  assert.equal(server.stdout.trim(), '::');
});
