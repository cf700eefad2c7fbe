// The preload as a whole, in real processes. The servers here know nothing of Mastra; mastra.test.mjs has those that do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { listFiles, makeFolder, PRELOAD, readLines, readTexts, runServer, startServer, until } from './helpers.mjs';

const OLD_NODE = '/usr/bin/node';
const VARIABLES = /MASTRA_(?!ADMIN_HOME)|activate\.mjs/;

/** Waits until the server has printed `text`. */
const printed = (server, text) => until(`"${text}"`, () => server.output.stdout.includes(text));

/** The major version of another Node on this machine; 0 when there is none. */
function oldNodeVersion() {
  const { status, stdout } = spawnSync(OLD_NODE, ['--version'], { encoding: 'utf8' });
  return status === 0 ? Number(/^v(\d+)/.exec(stdout)[1]) : 0;
}

describe('an app under the preload', { concurrency: 2 }, () => {
  test('prints, exits and fails as without it', async t => {
    const server = await runServer(t, `console.log('out'); console.error('err'); process.exitCode = 3;`);
    assert.deepEqual([server.code, server.stdout, server.stderr], [3, 'out\n', 'err\n']);
  });

  test('sees nothing of it in its environment', async t => {
    const server = await runServer(t, `console.log(JSON.stringify(process.env))`);
    assert.doesNotMatch(server.stdout, VARIABLES);
    const env = JSON.parse(server.stdout);
    assert.equal('NODE_OPTIONS' in env, false);
    assert.equal(env.MASTRA_ADMIN_HOME, server.home);
  });

  test('keeps NODE_OPTIONS of its own', async t => {
    const own = makeFolder(t);
    fs.writeFileSync(path.join(own, 'own.mjs'), `globalThis.own = true;`);
    const imported = `--import ${pathToFileURL(path.join(own, 'own.mjs'))}`;
    const preload = `--import ${pathToFileURL(path.join(PRELOAD, 'activate.mjs'))}`;
    const variables = { NODE_OPTIONS: `${preload} --max-old-space-size=300 ${imported}` };
    const server = await runServer(t, `console.log(globalThis.own, process.env.NODE_OPTIONS)`, { variables });
    assert.equal(server.stdout, `true --max-old-space-size=300 ${imported}\n`);
    assert.equal(readLines(server.logs).length, 1);
  });

  test('works from a folder with a space', async t => {
    const preload = path.join(makeFolder(t), 'with a space', 'nodé');
    fs.cpSync(PRELOAD, preload, { recursive: true });
    const server = await runServer(t, `console.log('hello', process.env.NODE_OPTIONS)`, { preload });
    assert.deepEqual([server.stdout, server.stderr], ['hello undefined\n', '']);
    assert.equal(readLines(server.logs)[0].data.message, 'hello undefined');
  });

  test('has no signal handlers but its own, and dies of SIGTERM', async t => {
    const source = `const names = ['SIGTERM', 'SIGINT', 'SIGHUP', 'uncaughtException', 'unhandledRejection'];
      console.log(JSON.stringify(names.map(name => process.listenerCount(name)))); setInterval(() => {}, 1000);`;
    const server = startServer(t, source);
    await printed(server, '[0,0,0,0,0]');
    server.child.kill('SIGTERM');
    assert.equal((await server.exited).signal, 'SIGTERM');
  });

  test('ends when it has nothing left to do', async t => {
    const server = await runServer(t, `setTimeout(() => console.log('done'), 20)`);
    assert.deepEqual([server.code, readLines(server.logs)[0].data.message], [0, 'done']);
  });

  test('crashes with its own exception, which is recorded', async t => {
    const server = await runServer(t, `console.log('before'); setTimeout(() => { throw new TypeError('the bug'); }, 10);`);
    assert.equal(server.code, 1);
    assert.match(server.stderr, /TypeError: the bug/);
    const [before, crash] = readLines(server.logs).map(line => line.data);
    assert.equal(before.message, 'before');
    assert.deepEqual([crash.level, crash.source], ['fatal', 'process']);
    assert.match(crash.message, /TypeError: the bug\n.*server\.mjs/);
  });

  test('crashes with a rejection nobody handled, too', async t => {
    const server = await runServer(t, `Promise.reject(new Error('rejected'))`);
    assert.equal(server.code, 1);
    assert.match(readLines(server.logs)[0].data.message, /rejected/);
  });

  test('may replace the timers', async t => {
    const server = await runServer(t, `globalThis.setTimeout = () => { throw new Error('fake'); }; console.log('hello');
      setInterval(() => {}, 5).unref(); const end = Date.now() + 50; (function turn() { if (Date.now() < end) setImmediate(turn); })();`);
    assert.deepEqual([server.code, server.stderr, readLines(server.logs).length], [0, '', 1]);
  });
});

describe('what is recorded', { concurrency: 2 }, () => {
  test('lines have the documented form', async t => {
    const server = await runServer(t, `console.warn('careful')`);
    const [file] = listFiles(server.logs);
    const stream = /^\d{13}_([0-9a-f-]{36})\.jsonl$/.exec(file)[1];
    const [{ timestamp, data, ...line }] = readLines(server.logs);
    assert.deepEqual(line, {
      id: `${stream}-1`, type: 'log', projectId: 'project-1', deploymentId: 'deployment-1', buildId: 'build-1', processId: 'process-1',
    });
    assert.ok(Math.abs(timestamp - Date.now()) < 60_000);
    assert.deepEqual([data.level, data.message, data.source], ['warn', 'careful', 'console']);
    assert.deepEqual(Object.keys(JSON.parse(readTexts(server.logs)[0]))[0], 'id');
  });

  test('nothing is lost or doubled by process.exit in the middle of it', async t => {
    const source = `import fs from 'node:fs'; let n = 0; const burst = () => { for (let i = 0; i < 50; i++) console.log('line', n++); };
      setInterval(burst, 1); setTimeout(() => { burst(); process.exit(0); }, 120);
      process.on('exit', () => { console.log('total', n); fs.writeFileSync('total', String(n)); });`; // stdout may be cut short
    for (let round = 0; round < 5; round += 1) {
      const server = await runServer(t, source);
      const messages = readLines(server.logs).map(line => line.data.message);
      const total = Number(fs.readFileSync(path.join(server.home, 'total'), 'utf8'));
      assert.deepEqual(messages.sort(), [...Array(total).keys()].map(n => `line ${n}`).concat(`total ${total}`).sort());
      const ids = readLines(server.logs).map(line => line.id);
      assert.equal(new Set(ids).size, ids.length);
    }
  });

  test('after kill -9 the .open file has whole lines', async t => {
    const server = startServer(t, `let n = 0; setInterval(() => console.log('tick', n++), 2);`);
    await printed(server, 'tick 100\n');
    await until('the line', () => fs.readFileSync(path.join(server.logs, listFiles(server.logs)[0]), 'utf8').includes('"tick 100"'));
    server.child.kill('SIGKILL');
    await server.exited;
    assert.match(listFiles(server.logs).join(), /^[^,]*\.jsonl\.open$/);
    const messages = readLines(server.logs).map(line => line.data.message);
    assert.deepEqual(messages, [...messages.keys()].map(n => `tick ${n}`));
  });

  test('without a folder for logs nothing is', async t => {
    const server = await runServer(t, `console.log('hello')`, { variables: { MASTRA_RUNNER_LOGS_TARGET_DIR: undefined } });
    assert.deepEqual([server.stdout, fs.existsSync(server.logs)], ['hello\n', false]);
    assert.equal(server.readStatus().pid, server.child.pid);
  });

  test('values of secret variables are not', async t => {
    const variables = { MASTRA_ADMIN_SECRET_NAMES: 'DATABASE_KEY', DATABASE_KEY: 'value-of-the-key' };
    const server = await runServer(t, `console.log('connecting with', process.env.DATABASE_KEY)`, { variables });
    assert.equal(server.stdout, 'connecting with value-of-the-key\n');
    assert.equal(readLines(server.logs)[0].data.message, 'connecting with [REDACTED]');
  });

  test('a folder that can not be written is said once, counted, and does not disturb the app', async t => {
    const folder = makeFolder(t);
    fs.writeFileSync(path.join(folder, 'logs'), 'in the way');
    const source = `for (let i = 0; i < 2000; i++) console.log('x'.repeat(10000));
      await new Promise(resolve => setTimeout(resolve, 400)); process.exitCode = 5;`;
    const server = await runServer(t, source, { folder });
    assert.equal(server.code, 5);
    assert.equal(server.stderr.match(/can't be written/g).length, 1);
    assert.equal(server.stderr.match(/is dropped/g).length, 1);
    const status = server.readStatus();
    assert.equal(status.dropped, 2000);
    assert.match(status.dropped_reason, /EEXIST|ENOTDIR/);
  });

  test('a limit on the size of files is survived', async t => {
    const source = `for (let i = 0; i < 300; i++) { console.log(i, 'x'.repeat(1000)); await new Promise(resolve => setTimeout(resolve, 2)); }`;
    const folder = makeFolder(t);
    const wrapper = path.join(folder, 'limited-node');
    fs.writeFileSync(wrapper, `#!/bin/sh\nulimit -f 128\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 }); // 64 or 128 KB
    const server = await runServer(t, source, { node: wrapper });
    assert.equal(server.code, 0, server.stderr);
    const { written, dropped } = server.readStatus();
    assert.equal(written.log + dropped, 300);
    assert.equal(readLines(server.logs).length, written.log);
    assert.ok(written.log > 100, `${written.log} written`);
  });
});

describe('processes that are not the server', { concurrency: 2 }, () => {
  test('another program with the same environment is left alone', async t => {
    const server = await runServer(t, `console.log(process.env.MASTRA_BUILD_ID)`, { variables: { MASTRA_ADMIN_ENTRY: '/elsewhere/index.mjs' } });
    assert.equal(server.stdout, 'build-1\n');
    assert.deepEqual([fs.existsSync(server.logs), fs.existsSync(server.status)], [false, false]);
  });

  test('an entry that is reached through a link is the server', async t => {
    const folder = makeFolder(t);
    fs.mkdirSync(path.join(folder, 'artifact'));
    fs.symlinkSync(path.join(folder, 'artifact'), path.join(folder, 'work'));
    fs.symlinkSync(path.join(folder, 'server.mjs'), path.join(folder, 'artifact', 'index.mjs'));
    const server = await runServer(t, `console.log('hello')`, { folder, variables: { MASTRA_ADMIN_ENTRY: path.join(folder, 'work', 'index.mjs') } });
    assert.equal(readLines(server.logs).length, 1);
  });

  test('a worker thread records nothing of its own', async t => {
    const source = `import { Worker } from 'node:worker_threads';
      const worker = new Worker('console.log(process.env.NODE_OPTIONS, process.env.MASTRA_BUILD_ID)', { eval: true });
      worker.on('exit', () => console.log('main'));`;
    const server = await runServer(t, source);
    assert.equal(server.stdout, 'undefined undefined\nmain\n');
    assert.deepEqual(readLines(server.logs).map(line => line.data.message), ['main']);
  });

  for (const [name, spawning] of Object.entries({
    spawn: `spawnSync(process.execPath, ['child.mjs'], { encoding: 'utf8' }).stdout`,
    'a shell': `spawnSync('sh', ['-c', '"$0" child.mjs', process.execPath], { encoding: 'utf8' }).stdout`,
    'npm': `spawnSync(process.execPath, [NPM, 'exec', '--offline', '--call', process.execPath + ' child.mjs'], { encoding: 'utf8' }).stdout`,
  })) {
    test(`a child by ${name} sees nothing of the preload`, async t => {
      const folder = makeFolder(t, 'mastra-admin-');
      fs.writeFileSync(path.join(folder, 'child.mjs'), `console.log(JSON.stringify(process.env), process.listenerCount('exit'))`);
      fs.writeFileSync(path.join(folder, 'package.json'), '{"name": "app", "version": "1.0.0"}');
      const npm = path.join(path.dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
      if (name === 'npm' && !fs.existsSync(npm)) return t.skip('needs the npm beside this Node');
      const source = `import { spawnSync } from 'node:child_process'; const NPM = ${JSON.stringify(npm)}; process.stdout.write(${spawning});`;
      const server = await runServer(t, source, { folder });
      assert.match(server.stdout, /"MASTRA_ADMIN_HOME"/);
      assert.doesNotMatch(server.stdout, VARIABLES);
      assert.match(server.stdout, / 0\n/);
    });
  }

  test('a server of the Model Context Protocol over stdio speaks undisturbed', async t => {
    const folder = makeFolder(t);
    fs.writeFileSync(path.join(folder, 'mcp.mjs'), `process.stdin.setEncoding('utf8').on('data', text => {
      const { id } = JSON.parse(text);
      process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { options: process.env.NODE_OPTIONS ?? null } }) + '\\n');
    }).on('end', () => process.exit(0));`);
    const source = `import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['mcp.mjs'], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdout.on('data', data => { process.stdout.write(data); child.stdin.end(); });
      child.on('exit', code => console.log('exit', code));
      child.stdin.write('{"jsonrpc":"2.0","id":7,"method":"initialize"}\\n');`;
    const server = await runServer(t, source, { folder });
    assert.deepEqual([server.stdout, server.stderr], ['{"jsonrpc":"2.0","id":7,"result":{"options":null}}\nexit 0\n', '']);
  });

  test('a child on an older Node runs', async t => {
    if (!oldNodeVersion()) return t.skip('needs another Node');
    const source = `import { spawnSync } from 'node:child_process';
      const { status, stderr, stdout } = spawnSync('${OLD_NODE}', ['-p', 'process.env.NODE_OPTIONS'], { encoding: 'utf8' });
      process.stdout.write(status + stderr + stdout);`;
    assert.equal((await runServer(t, source)).stdout, '0undefined\n');
  });

  test('a server on an older Node runs untraced, and the status says why', async t => {
    const version = oldNodeVersion();
    if (!version || version >= 22) return t.skip('needs a Node before 22');
    const server = await runServer(t, `console.log('hello')`, { node: OLD_NODE });
    assert.deepEqual([server.code, server.stdout, server.stderr], [0, 'hello\n', '']);
    assert.match(server.readStatus().reason, /no module\.registerHooks/);
    assert.equal(readLines(server.logs).length, 1);
  });
});

test('the status of a server without Mastra says so', async t => {
  const status = (await runServer(t, `console.log('hello')`)).readStatus();
  assert.deepEqual([status.mastra, status.traced, status.written], [false, false, { log: 1 }]);
  assert.match(status.reason, /no import of @mastra\/core/);
});
