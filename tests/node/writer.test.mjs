import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import nodeFs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listFiles, makeFolder, PRELOAD, readTexts, until } from './helpers.mjs';

const { Budget, LineWriter } = await import(path.join(PRELOAD, 'writer.mjs'));
const MEGABYTE = 1024 * 1024;

/** A writer whose news are kept: `writer.news.written`, `.dropped`, `.reasons`, `.troubles`. */
function makeWriter(folder, options = {}) {
  const news = { written: 0, dropped: 0, reasons: [], troubles: [] };
  const writer = new LineWriter({
    folder,
    ...options,
    onWritten: kinds => (news.written += kinds.length),
    onDropped: (count, reason) => {
      news.dropped += count;
      news.reasons.push(reason);
    },
    onTrouble: (kind, message) => news.troubles.push(message),
  });
  return Object.assign(writer, { news });
}

/** node:fs with some functions replaced. */
function makeFs(replaced) {
  return Object.assign(Object.create(nodeFs), replaced);
}

function numbered(count, from = 0) {
  return Array.from({ length: count }, (_, index) => `line ${from + index}`);
}

function failure(code) {
  return Object.assign(new Error(`${code}: injected`), { code });
}

test('a line is in the file within 50 ms while the event loop turns', async t => {
  const folder = path.join(makeFolder(t), 'not', 'there', 'yet');
  const writer = makeWriter(folder);
  const times = [];
  for (const line of numbered(21)) {
    const begin = performance.now();
    writer.write(line, 'log');
    await until(line, () => nodeFs.existsSync(folder) && readTexts(folder).includes(line));
    times.push(performance.now() - begin);
    await sleep(2);
  }
  writer.finish();
  const median = times.sort((one, other) => one - other)[10]; // a busy machine delays now and then
  assert.ok(median < 50, `took ${median} ms`);
});

test('a file is called .jsonl.open while it is written and .jsonl when it is closed', async t => {
  const folder = makeFolder(t);
  const writer = makeWriter(folder);
  writer.write('a line', 'log');
  await writer.flush();
  assert.match(listFiles(folder).join(), new RegExp(`^\\d{13}_${writer.id}\\.jsonl\\.open$`));
  writer.finish();
  assert.match(listFiles(folder).join(), new RegExp(`^\\d{13}_${writer.id}\\.jsonl$`));
  assert.deepEqual(readTexts(folder), ['a line']);
});

test('nothing is on disk before there is a line', t => {
  const folder = path.join(makeFolder(t), 'telemetry');
  makeWriter(folder).finish();
  assert.equal(nodeFs.existsSync(folder), false);
});

test('files are closed at their size limit, and lines keep their order over them', async t => {
  const folder = makeFolder(t);
  const writer = makeWriter(folder, { maxFileBytes: 1_000 });
  const lines = numbered(500);
  for (const [index, line] of lines.entries()) {
    writer.write(line, 'log');
    if (index % 60 === 0) await writer.flush();
  }
  writer.finish();
  const files = listFiles(folder);
  assert.ok(files.length >= 5 && files.every(name => name.endsWith('.jsonl')), files.join());
  for (const name of files) assert.ok(nodeFs.statSync(path.join(folder, name)).size <= 1_000);
  assert.deepEqual(readTexts(folder), lines);
  assert.equal(writer.news.written, 500);
});

test('a line longer than a file may be gets a file of its own', async t => {
  const folder = makeFolder(t);
  const writer = makeWriter(folder, { maxFileBytes: 100 });
  for (const line of ['short', 'x'.repeat(300), 'short again']) writer.write(line, 'log');
  writer.finish();
  assert.deepEqual(readTexts(folder), ['short', 'x'.repeat(300), 'short again']);
  assert.equal(listFiles(folder).length, 3);
});

for (const late of ['a write', 'an open', 'a rotation']) {
  test(`an exit during ${late} neither loses nor doubles a line`, async t => {
    const folder = makeFolder(t);
    const calls = { 'a write': 'writev', 'an open': 'open', 'a rotation': 'fdatasync' };
    let pending = null;
    const slow = (...args) => (pending = () => nodeFs[calls[late]](...args));
    const fs = makeFs({});
    const writer = makeWriter(folder, { fs, maxFileBytes: late === 'a rotation' ? 60 : undefined });
    if (late !== 'an open') {
      for (const line of numbered(5)) writer.write(line, 'log');
      await writer.flush();
    }
    // From here on one call is late: it happens only after the process has begun to exit.
    fs[calls[late]] = Object.assign(slow, {});
    for (const line of numbered(late === 'an open' ? 10 : 5, late === 'an open' ? 0 : 5)) writer.write(line, 'log');
    await until('the late call', () => pending);
    writer.finish();
    pending();
    await sleep(20); // the late call lands
    assert.deepEqual(readTexts(folder), numbered(10));
    const open = listFiles(folder).filter(name => name.endsWith('.open'));
    for (const name of open) assert.equal(nodeFs.statSync(path.join(folder, name)).size, 0); // the late open made it again
    assert.equal(writer.news.written, 10);
  });
}

test('lines that come after the end get a file of their own', t => {
  const folder = makeFolder(t);
  const writer = makeWriter(folder);
  writer.write('before', 'log');
  writer.finish();
  writer.write('after', 'log');
  assert.deepEqual(readTexts(folder), ['before', 'after']);
  assert.deepEqual(listFiles(folder).map(name => name.endsWith('.open')), [false, true]);
});

test('a write that is cut short is finished without a torn or doubled line', async t => {
  const folder = makeFolder(t);
  let cuts = 0;
  const writev = (fd, buffers, position, done) => {
    const whole = Buffer.concat(buffers);
    const length = whole.length > 20 && cuts < 30 ? Math.floor(whole.length * 0.6) : whole.length;
    cuts += length < whole.length ? 1 : 0;
    nodeFs.write(fd, whole, 0, length, position, (error, written) => done(error, written, buffers));
  };
  const writer = makeWriter(folder, { fs: makeFs({ writev }) });
  for (const line of numbered(100)) writer.write(line, 'log');
  await until('all lines', () => writer.news.written === 100);
  writer.finish();
  assert.ok(cuts > 3);
  assert.deepEqual(readTexts(folder), numbered(100));
});

test('a disk that is full for a while costs nothing but time', async t => {
  const folder = makeFolder(t);
  let full = false;
  const fs = makeFs({ writev: (...args) => (full ? args.at(-1)(failure('ENOSPC')) : nodeFs.writev(...args)) });
  const writer = makeWriter(folder, { fs });
  writer.write('before', 'log');
  await writer.flush();
  full = true;
  writer.write('while it is full', 'log');
  await until('the failure', () => writer.news.troubles.length > 0);
  assert.deepEqual(readTexts(folder), ['before']);
  full = false;
  await until('the recovery', () => writer.news.written === 2);
  writer.finish();
  assert.deepEqual(readTexts(folder), ['before', 'while it is full']);
  assert.equal(writer.news.dropped, 0);
});

test('a file that can not be written any more is left for a new one', async t => {
  const folder = makeFolder(t);
  const broken = new Set();
  const writev = (fd, ...rest) => (broken.has(fd) ? rest.at(-1)(failure('EIO')) : nodeFs.writev(fd, ...rest));
  const fs = makeFs({ writev, open: (...args) => nodeFs.open(...args.slice(0, -1), (error, fd) => args.at(-1)(error, fd)) });
  const writer = makeWriter(folder, { fs });
  writer.write('in the first file', 'log');
  await writer.flush();
  for (let fd = 0; fd < 100; fd += 1) broken.add(fd);
  writer.write('in the second file', 'log');
  await until('the failure', () => writer.news.troubles.length > 0);
  broken.clear();
  await until('the recovery', () => writer.news.written === 2);
  writer.finish();
  assert.equal(listFiles(folder).length, 2);
  assert.deepEqual(readTexts(folder), ['in the first file', 'in the second file']);
});

test('a folder that was removed is made again, with the lines that were not in it yet', async t => {
  const folder = path.join(makeFolder(t), 'telemetry');
  const writer = makeWriter(folder);
  writer.write('gone with the folder', 'log');
  await writer.flush();
  nodeFs.rmSync(folder, { recursive: true });
  for (const line of numbered(3)) writer.write(line, 'log');
  await until('the new file', () => writer.news.written === 4);
  assert.deepEqual(readTexts(folder), numbered(3));
  assert.match(writer.news.troubles.join(), /was removed/);
  writer.finish();
});

test('a folder that was removed just before the exit is made again', async t => {
  const folder = path.join(makeFolder(t), 'telemetry');
  const writer = makeWriter(folder);
  writer.write('gone with the folder', 'log');
  await writer.flush();
  nodeFs.rmSync(folder, { recursive: true });
  writer.write('the last words', 'log');
  writer.finish();
  assert.deepEqual(readTexts(folder), ['the last words']);
});

test('a folder that can not be made keeps 8 MB in memory, drops the rest and counts it, and recovers', async t => {
  const folder = path.join(makeFolder(t), 'telemetry');
  nodeFs.writeFileSync(folder, 'a file is in the way');
  const budget = new Budget();
  const writer = makeWriter(folder, { budget });
  const line = 'x'.repeat(10_000);
  for (let count = 0; count < 1_000; count += 1) {
    writer.write(line, 'log');
    if (count % 100 === 0) await sleep(1);
  }
  assert.ok(budget.used <= 8 * MEGABYTE && budget.used > 7.9 * MEGABYTE, `${budget.used} bytes`);
  assert.ok(writer.news.dropped > 150 && writer.news.dropped < 250, `${writer.news.dropped} dropped`);
  assert.match(writer.news.reasons.at(-1), /more than 8 MB were waiting/);
  nodeFs.rmSync(folder);
  const kept = 1_000 - writer.news.dropped;
  await until('the recovery', () => writer.news.written === kept);
  assert.equal(budget.used, 0);
  writer.finish();
  assert.equal(readTexts(folder).length, kept);
});

test('two streams share one bound', t => {
  const folder = makeFolder(t);
  const budget = new Budget(MEGABYTE);
  const writers = [makeWriter(path.join(folder, 'one'), { budget }), makeWriter(path.join(folder, 'two'), { budget })];
  for (let count = 0; count < 200; count += 1) for (const writer of writers) writer.write('x'.repeat(5_000), 'log');
  assert.ok(budget.used <= MEGABYTE);
  for (const writer of writers) {
    writer.finish();
    assert.ok(writer.news.written >= 100 && writer.news.written + writer.news.dropped === 200);
  }
});

test('what can not be written at the exit is counted, and leaves no torn line', t => {
  const folder = makeFolder(t);
  const writevSync = (fd, buffers, position) => {
    if (position >= 25) throw failure('ENOSPC');
    const whole = Buffer.concat(buffers);
    return nodeFs.writeSync(fd, whole, 0, Math.min(whole.length, 25 - position), position);
  };
  const writer = makeWriter(folder, { fs: makeFs({ writevSync }) });
  for (const line of numbered(10)) writer.write(line, 'log');
  writer.finish();
  assert.deepEqual(readTexts(folder), numbered(3));
  assert.deepEqual([writer.news.written, writer.news.dropped], [3, 7]);
  assert.match(writer.news.reasons[0], /the process ended while they could not be written: ENOSPC/);
});

test('a really full disk: whole lines only, a count of the dropped, and recovery when there is room', async t => {
  const folder = makeFolder(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
  if (mounted.status !== 0) return t.skip('needs the right to mount');
  const writer = makeWriter(folder, { budget: new Budget(MEGABYTE), maxFileBytes: 100_000 });
  try {
    const total = 2_000;
    for (let count = 0; count < total; count += 1) {
      writer.write(`${count} ${'x'.repeat(1_000)}`, 'log');
      if (count % 50 === 0) await sleep(1);
    }
    await until('the failure', () => writer.news.troubles.some(message => message.includes('ENOSPC')));
    for (const line of readTexts(folder)) assert.match(line, /^\d+ x{1000}$/);
    const before = readTexts(folder);
    const [oldest] = listFiles(folder);
    nodeFs.rmSync(path.join(folder, oldest)); // as a collector does with what it has stored
    await until('the recovery', () => readTexts(folder).at(-1) !== before.at(-1));
    writer.finish();
    for (const line of readTexts(folder)) assert.match(line, /^\d+ x{1000}$/);
    assert.equal(writer.news.written + writer.news.dropped, total);
    assert.ok(writer.news.dropped > 0);
  } finally {
    writer.finish();
    spawnSync('umount', ['--lazy', folder]); // the descriptor is still open
  }
});

test('whatever the disk does, accepted lines are there once and in order', async t => {
  for (let seed = 1; seed <= 20; seed += 1) await tormentWriter(makeFolder(t), seed);
});

/** Fails and cuts short at random, then exits at a random moment. */
async function tormentWriter(folder, seed) {
  const random = makeRandom(seed);
  const writev = (fd, buffers, position, done) => {
    const luck = random();
    if (luck < 0.1) return setImmediate(done, failure(random() < 0.5 ? 'ENOSPC' : 'EIO'));
    const whole = Buffer.concat(buffers);
    const length = luck < 0.4 ? Math.floor(whole.length * random()) : whole.length;
    return nodeFs.write(fd, whole, 0, length, position, (error, written) => done(error, written, buffers));
  };
  const writer = makeWriter(folder, { fs: makeFs({ writev }), maxFileBytes: 400 });
  const lines = numbered(200);
  for (const line of lines) {
    writer.write(line, 'log');
    if (random() < 0.05) await sleep(1);
  }
  if (random() < 0.5) await sleep(random() * 30);
  writer.finish();
  assert.deepEqual(readTexts(folder), lines, `seed ${seed}`);
  assert.equal(writer.news.written, 200, `seed ${seed}`);
}

function makeRandom(seed) {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
