import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { PRELOAD } from './helpers.mjs';

const { ConsoleRecorder } = await import(path.join(PRELOAD, 'console.mjs'));
const { Redactor } = await import(path.join(PRELOAD, 'redaction.mjs'));

/** A console that prints into a list, under a recorder whose log lines are kept. */
function makeConsole({ span } = {}) {
  const printed = [];
  const logs = [];
  const target = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug']) target[name] = (...args) => printed.push([name, ...args]);
  const recorder = new ConsoleRecorder({ recordLog: log => logs.push(log) }, new Redactor(), () => span);
  recorder.install(target);
  return { target, recorder, printed, logs, settle: () => new Promise(resolve => setImmediate(resolve)) };
}

const messages = logs => logs.map(log => log.message);

test('what the app prints is printed as before, and recorded with its level', async () => {
  const { target, printed, logs, settle } = makeConsole();
  for (const name of ['log', 'info', 'warn', 'error', 'debug']) target[name]('%s is %d', name, 1);
  await settle();
  assert.deepEqual(printed, ['log', 'info', 'warn', 'error', 'debug'].map(name => [name, '%s is %d', name, 1]));
  assert.deepEqual(logs.map(({ level, message, source }) => [level, message, source]), [
    ['info', 'log is 1', 'console'],
    ['info', 'info is 1', 'console'],
    ['warn', 'warn is 1', 'console'],
    ['error', 'error is 1', 'console'],
    ['debug', 'debug is 1', 'console'],
  ]);
  assert.ok(logs.every(log => !Number.isNaN(Date.parse(log.timestamp))));
});

test('a line carries the ids of the span it was printed in', async () => {
  const { target, logs, settle } = makeConsole({ span: { traceId: 't1', spanId: 's1' } });
  target.log('inside');
  await settle();
  assert.deepEqual([logs[0].traceId, logs[0].spanId], ['t1', 's1']);
});

test('the methods stay what they were to look at', () => {
  const { target } = makeConsole();
  assert.equal(target.log.name, 'log');
  assert.deepEqual(Object.keys(target), ['log', 'info', 'warn', 'error', 'debug']);
  const replaced = () => {};
  target.log = replaced;
  assert.equal(target.log, replaced);
});

for (const [name, printed] of Object.entries({ 'as it is': 'greeting', 'with its component': '[AGENT] greeting' })) {
  test(`a message that the logger printed ${name} is no console line`, async () => {
    const { target, recorder, logs, settle } = makeConsole();
    target.log('before');
    target.info(printed, { trace_id: 't' });
    recorder.forget('greeting');
    target.log('after');
    await settle();
    assert.deepEqual(messages(logs), ['before', 'after']);
  });
}

for (const [name, printed] of Object.entries({ longer: 'greeting everyone', other: 'farewell', embedded: 'now comes greeting' })) {
  test(`a line that is ${name} than the log event stays`, async () => {
    const { target, recorder, logs, settle } = makeConsole();
    target.info(printed);
    recorder.forget('greeting');
    await settle();
    assert.deepEqual(messages(logs), [printed]);
  });
}

test('a line of before is not taken for the event of later', async () => {
  const { target, recorder, logs, settle } = makeConsole();
  target.info('greeting');
  await settle();
  recorder.forget('greeting');
  assert.deepEqual(messages(logs), ['greeting']);
});

test('secrets in objects, errors and texts are hidden', async () => {
  const { target, logs, settle } = makeConsole();
  const error = Object.assign(new Error('refused'), { config: { headers: { authorization: 'Bearer very-secret-1' } } });
  target.log('calling', { apiKey: 'very-secret-2', nested: { password: 'very\nsecret-3' } });
  target.error(error);
  target.log('token=very-secret-4');
  await settle();
  const text = JSON.stringify(logs.map(log => new Redactor().copy(log)));
  assert.ok(!/secret-\d/.test(text), text);
  assert.match(text, /refused/);
});

test('an object that fails to be read does not disturb the app', async () => {
  const { target, printed, logs, settle } = makeConsole();
  const hostile = { get field() { throw new Error('hostile'); } };
  target.log(hostile);
  await settle();
  assert.equal(printed[0][1], hostile);
  assert.match(logs[0].message, /unreadable: hostile/);
});

test('an object that prints while it is read is recorded once', async () => {
  const { target, logs, settle } = makeConsole();
  target.log('outer', { get field() { target.log('inner'); return 1; } });
  await settle();
  assert.equal(logs.length, 1);
});

test('what the original throws reaches the app', () => {
  const target = { log() { throw new Error('EPIPE'); }, info() {}, warn() {}, error() {}, debug() {} };
  new ConsoleRecorder({ recordLog() {} }, new Redactor(), () => undefined).install(target);
  assert.throws(() => target.log('x'), /EPIPE/);
});
