// What may be written: the cases that Python's policy is tested with as well, and what only a server does.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { PRELOAD, readLines, runServer } from './helpers.mjs';

const { Redactor } = await import(path.join(PRELOAD, 'redaction.mjs'));
const { Rules } = await import(path.join(PRELOAD, 'rules.mjs'));
const { Sampler, admits, numberTrace } = await import(path.join(PRELOAD, 'sampling.mjs'));
const cases = JSON.parse(fs.readFileSync(new URL('policy_cases.json', import.meta.url), 'utf8'));

for (const { pattern, compiled, texts } of cases.patterns) {
  test(`the pattern ${pattern} hides the same here as in Python`, () => {
    const rules = new Rules({ patterns: [compiled] });
    for (const [text, clean] of texts) assert.equal(rules.text(text), clean, JSON.stringify(text));
  });
}

for (const [number, { policy, data, clean }] of cases.records.entries()) {
  test(`record ${number} is cleaned here as in Python`, () => {
    const redactor = new Redactor([], new Rules(policy));
    assert.deepEqual(JSON.parse(JSON.stringify(redactor.copyRecord(data))), clean);
  });
}

for (const [trace, number] of cases.traces) {
  test(`the trace ${JSON.stringify(trace)} has the number that Python gives it`, () => assert.equal(numberTrace(trace), number));
}

test('a share of traces is about that share, and more of them hold the same ones', () => {
  const traces = Array.from({ length: 4000 }, (_, number) => `trace-${number}`);
  const some = traces.filter(trace => admits(trace, 0.25));
  assert.ok(some.length > 900 && some.length < 1100, String(some.length));
  assert.ok(some.every(trace => admits(trace, 0.3)));
  assert.deepEqual([traces.filter(trace => admits(trace, 0)).length, traces.filter(trace => admits(trace, 1)).length], [0, 4000]);
});

/** A sampler that keeps no trace by its number, and what came through and was left out. */
function makeSampler(policy, limit) {
  const written = [];
  const left = [];
  const sampler = new Sampler({ sample: 0, ...policy }, (type, isRoot) => left.push(isRoot ? `${type} root` : type), limit);
  const take = (name, type, event, data) => sampler.take({ type, event, data }, () => name, text => written.push(text));
  return { sampler, take, written, left };
}

describe('a trace outside of the sample', () => {
  test('is left out with its logs; measurements and logs without a trace stay', () => {
    const { take, written, left } = makeSampler({});
    take('a', 'span', 'started', { traceId: 't' });
    take('b', 'log', undefined, { traceId: 't', level: 'error' });
    take('c', 'log', undefined, { correlationContext: { traceId: 't' } });
    take('d', 'log', undefined, { message: 'at the start' });
    for (const type of ['metric', 'score', 'feedback']) take(type, type, undefined, { traceId: 't' });
    take('e', 'span', 'ended', { traceId: 't', isRootSpan: true });
    assert.deepEqual([written, left], [['d', 'metric', 'score', 'feedback'], ['span', 'log', 'log', 'span root']]);
  });

  test('comes whole and in order when something in it fails', () => {
    const { take, written, left } = makeSampler({ keepErrors: true });
    take('root', 'span', 'started', { traceId: 't' });
    take('log', 'log', undefined, { traceId: 't', level: 'info' });
    assert.deepEqual(written, []);
    take('tool', 'span', 'ended', { traceId: 't', parentSpanId: 'r', errorInfo: { message: 'no' } });
    take('end', 'span', 'ended', { traceId: 't', isRootSpan: true });
    assert.deepEqual([written, left], [['root', 'log', 'tool', 'end'], []]);
  });

  test('comes whole when an error is logged in it', () => {
    const { take, written } = makeSampler({ keepErrors: true });
    take('root', 'span', 'started', { traceId: 't' });
    take('log', 'log', undefined, { traceId: 't', level: 'error' });
    assert.deepEqual(written, ['root', 'log']);
  });

  test('is left out when its root ended well, and what comes late goes with it', () => {
    const { take, written, left } = makeSampler({ keepErrors: true });
    take('start', 'span', 'started', { traceId: 't' });
    take('end', 'span', 'ended', { traceId: 't', isRootSpan: true });
    take('late', 'span', 'ended', { traceId: 't', parentSpanId: 'r', errorInfo: {} });
    assert.deepEqual([written, left], [[], ['span', 'span root', 'span']]);
  });

  test('waits in little memory: the oldest goes first', () => {
    const { take, written, left, sampler } = makeSampler({ keepErrors: true }, 10);
    take('12345678', 'span', 'started', { traceId: 'old' });
    take('12345678', 'span', 'started', { traceId: 'new' });
    assert.deepEqual(left, ['span']);
    sampler.keepAll();
    assert.deepEqual([written, left], [['12345678'], ['span']]);
  });

  test('is counted when the process ends before it does', () => {
    const { take, left, sampler } = makeSampler({ keepErrors: true });
    take('start', 'span', 'started', { traceId: 't' });
    sampler.finish();
    assert.deepEqual(left, ['span']);
  });
});

test('no allowed pattern takes long on a text that is made to be hard', () => {
  const hard = {
    '[\\w.+-]+@[\\w-]+\\.[\\w.-]+': 'a'.repeat(256 * 1024),
    '(?:\\d[ -]?){13,16}': '1 '.repeat(128 * 1024),
    'sk-[A-Za-z0-9]{8,}': 'sk-'.repeat(85 * 1024),
  };
  for (const { pattern, compiled } of cases.patterns.filter(({ pattern }) => hard[pattern])) {
    const begun = performance.now();
    new Rules({ patterns: [compiled] }).text(hard[pattern]);
    assert.ok(performance.now() - begun < 2000, `${pattern}: ${performance.now() - begun} ms`);
  }
});

test('a server hides what its policy says, and its app never sees that there is one', async t => {
  const policy = { sample: 1, keepErrors: false, fields: ['city'], patterns: ['[0-9]{4}'] };
  const source = `console.log('call 1234', {city: 'Paris', zip: 7}, process.env.MASTRA_ADMIN_TELEMETRY_POLICY);`;
  const server = await runServer(t, source, { variables: { MASTRA_ADMIN_TELEMETRY_POLICY: JSON.stringify(policy) } });
  assert.equal(server.stdout, `call 1234 { city: 'Paris', zip: 7 } undefined\n`);
  const [line] = readLines(server.logs);
  assert.equal(line.data.message, `call [REDACTED] { city: '[REDACTED]', zip: 7 } undefined`);
});

test('a policy that can not be read keeps everything out of the files', async t => {
  const server = await runServer(t, `console.log('hello');`, { variables: { MASTRA_ADMIN_TELEMETRY_POLICY: '{' } });
  assert.deepEqual([server.code, server.stdout], [0, 'hello\n']);
  assert.match(server.stderr, /not traced/);
  assert.equal(fs.existsSync(server.logs), false);
});
