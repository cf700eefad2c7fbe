import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder, PRELOAD, until } from './helpers.mjs';

const { Status } = await import(path.join(PRELOAD, 'status.mjs'));
const read = file => JSON.parse(fs.readFileSync(file, 'utf8'));

test('the status tells who, what and how much', t => {
  const file = path.join(makeFolder(t), 'run', 'status.json');
  const status = new Status(file);
  status.update({ mastra: true, traced: true, reason: null, instances: 1 });
  status.countWritten(['span', 'span', 'log']);
  status.countDropped(3, 'the disk is full');
  status.countLeftOut('span', false);
  status.countLeftOut('span', true);
  status.save();
  assert.deepEqual(read(file), {
    pid: process.pid, node: process.version, mastra: true, core_version: null, observability: 'missing', observability_version: null,
    instances: 1, api_prefix: null, studio_base: null, traced: true, reason: null, written: { span: 2, log: 1 }, dropped: 3, dropped_reason: 'the disk is full',
    sampled_out: { span: 2, trace: 1 },
  });
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['status.json']);
});

test('a change reaches the file by itself, and many changes in a row do it once', async t => {
  const file = path.join(makeFolder(t), 'status.json');
  const status = new Status(file);
  status.countWritten(['log']);
  await until('the first change', () => fs.existsSync(file));
  const { ino } = fs.statSync(file);
  for (let count = 0; count < 100; count += 1) status.countWritten(['log']);
  assert.equal(fs.statSync(file).ino, ino);
  await until('the others', () => read(file).written.log === 101);
});

test('how the app is traced is there at once, and how many instances are a moment later', async t => {
  const file = path.join(makeFolder(t), 'status.json');
  const status = new Status(file);
  status.update({ traced: true, instances: 1 });
  assert.deepEqual([read(file).traced, read(file).instances], [true, 1]);
  status.countWritten(['log']);
  const begin = performance.now();
  for (let instances = 2; instances <= 50; instances += 1) status.update({ instances });
  assert.equal(read(file).instances, 1);
  await until('the instances', () => read(file).instances === 50);
  assert.ok(performance.now() - begin < 900);
});

test('a status that can not be written is no error', t => {
  const complaints = t.mock.method(console, 'error', () => {});
  const folder = makeFolder(t);
  fs.writeFileSync(path.join(folder, 'file'), '');
  new Status(path.join(folder, 'file', 'status.json')).save();
  new Status(null).save();
  assert.ok(complaints.mock.callCount() <= 1);
});

test('on a full disk the counts go into the room that the file has', t => {
  const file = path.join(makeFolder(t), 'status.json');
  const status = new Status(file);
  status.update({ reason: 'a reason that is rather long, and is not given any more later on, so that the text gets shorter' });
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  const { ino } = fs.statSync(file);
  t.mock.method(fs, 'writeFileSync', () => {
    throw full;
  });
  status.update({ reason: null });
  status.countDropped(7, 'ENOSPC');
  status.save();
  assert.deepEqual([read(file).dropped, read(file).reason], [7, null]);
  assert.equal(fs.statSync(file).ino, ino);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['status.json']);
});
