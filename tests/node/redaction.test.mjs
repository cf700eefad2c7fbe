import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { PRELOAD } from './helpers.mjs';

const { LIMITS, Redactor, isSecretName } = await import(path.join(PRELOAD, 'redaction.mjs'));
const redactor = new Redactor();
const copy = value => JSON.parse(JSON.stringify({ value: redactor.copy(value) })).value;
const SECRET = 's3cr3t-Value-42';

for (const name of [
  'apiKey', 'apikey', 'API_KEY', 'api-key', 'x-api-key', 'openaiApiKey', 'apiKeys', 'apiKey2', 'api key',
  'password', 'Password', 'db_password', 'userPasswd', 'passwordConfirmation', 'passphrase', 'pwd',
  'token', 'accessToken', 'refresh_token', 'id-token', 'X-Auth-Token', 'accessTokens', 'botToken',
  'authorization', 'Authorization', 'Proxy-Authorization', 'auth', 'cookie', 'Set-Cookie', 'jwt',
  'secret', 'clientSecret', 'client_secret', 'AWS_SECRET_ACCESS_KEY', 'privateKey', 'credentials',
]) {
  test(`the field ${name} is secret`, () => {
    assert.ok(isSecretName(name));
    assert.equal(copy({ deep: [{ [name]: SECRET }] }).deep[0][name], '[REDACTED]');
  });
}

for (const name of [
  'inputTokens', 'outputTokens', 'totalTokens', 'promptTokens', 'completion_tokens', 'cachedInputTokens', 'maxTokens', 'tokens',
  'costPerToken', 'timeToFirstToken', 'tokenCount', 'tokenizer', 'key', 'keys', 'primaryKey', 'author', 'authorId', 'monkey',
  'secretary', 'passenger', 'passed', 'toolName', 'bearing',
]) {
  test(`the field ${name} is not secret`, () => {
    assert.equal(isSecretName(name), false);
    assert.equal(copy({ [name]: 42 })[name], 42);
  });
}

test('usage keeps its counts', () => {
  const usage = { inputTokens: 42, outputTokens: 17, totalTokens: 59, inputDetails: { text: 42, cacheReadTokens: 3 } };
  assert.deepEqual(copy({ attributes: { usage } }), { attributes: { usage } });
});

test('a secret field is hidden whatever it holds, unless that is nothing', () => {
  const value = { password: { nested: SECRET }, token: [SECRET], apiKey: 12345678, secret: 1n };
  assert.deepEqual(copy(value), { password: '[REDACTED]', token: '[REDACTED]', apiKey: '[REDACTED]', secret: '[REDACTED]' });
  const nothing = { password: null, token: '', apiKey: false };
  assert.deepEqual(copy(nothing), nothing);
});

for (const [name, value] of Object.entries({
  'a Map': new Map([['apiKey', SECRET]]),
  'headers': new Headers({ authorization: `Bearer ${SECRET}` }),
  'search parameters': new URLSearchParams({ token: SECRET }),
  'a list of pairs': [['authorization', SECRET], ['accept', '*']],
  'names and values': [{ name: 'Authorization', value: SECRET }, { key: 'apiKey', value: SECRET }],
  'an error with details': Object.assign(new Error('failed'), { config: { headers: { Authorization: SECRET } } }),
  'the cause of an error': new Error('failed', { cause: { password: SECRET } }),
  'a set': new Set([{ password: SECRET }]),
  'an object with toJSON': { toJSON: () => ({ token: SECRET }) },
  'a class': new (class Client { apiKey = SECRET; })(),
  'JSON in a string': JSON.stringify({ args: [{ apiKey: SECRET, city: 'Paris' }] }),
  'JSON in JSON in a string': JSON.stringify({ body: JSON.stringify({ password: SECRET }) }),
  'a piece of JSON': `{"tool":"login","args":{"password":"${SECRET}","us`,
  'a piece of escaped JSON': `…,\\"apiKey\\":\\"${SECRET}\\",\\"city\\":…`,
  'a value with an escaped quote': JSON.stringify(`text with "password": "${SECRET}\\"${SECRET}" in it`),
  'a quote that never ends': `"password": "${SECRET} ${'and so on '.repeat(1_000)}`,
  'what inspect prints': inspect({ user: 'ada', apiKey: SECRET, password: `it's "${SECRET}"` }),
  'an inspected Map': inspect(new Map([['token', SECRET]])),
  'an assignment': `OPENAI_API_KEY=${SECRET} npm start`,
  'a query': `https://example.com/path?city=Paris&token=${SECRET}&page=2`,
  'a header': `Authorization: Bearer ${SECRET}`,
  'a bearer token by itself': `sent Bearer ${SECRET} to the server`,
  'an address': `postgresql://ada:${SECRET}@db.example.com/app`,
  'prose': `my password: ${SECRET}`,
})) {
  test(`${name} shows no secret`, () => {
    const text = JSON.stringify(redactor.copy({ data: value }));
    assert.ok(!text.includes(SECRET), text);
    assert.ok(text.includes('[REDACTED]'), text);
  });
}

for (const text of [
  'The keys of the piano are 88, and tokens: 12 were used',
  '{"inputTokens":42,"outputTokens":17}',
  'promptTokens=12 costPerToken: 0.5 tokenizer: gpt',
  'https://example.com/a:b@c?key=1',
  '{ "key": "value", "author": "Ada" }  ',
  'secretary: Ada',
]) {
  test(`the text stays as it is: ${text}`, () => assert.equal(redactor.text(text), text));
}

test('secret values that are given are hidden in every spelling', () => {
  const secret = 'pass/word "42"?';
  const strict = new Redactor([secret, 'on']);
  const spellings = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), JSON.stringify({ note: secret })];
  const text = JSON.stringify(strict.copy({ spellings, note: 'it is on' }));
  for (const spelling of spellings) assert.ok(!text.includes(JSON.stringify(spelling).slice(1, -1)), text);
  assert.ok(text.includes('it is on'));
});

test('what JSON can not hold becomes something that it can', () => {
  class Broken {
    get field() {
      throw new Error('no');
    }
  }
  const circle = { name: 'circle' };
  circle.self = circle;
  const shared = { shared: true };
  const broken = new Broken();
  Object.defineProperty(broken, 'field', { enumerable: true, get: () => { throw new Error('no'); } });
  const proxy = new Proxy({}, { ownKeys: () => { throw new Error('no keys'); } });
  assert.deepEqual(
    copy({
      circle, broken, proxy, twice: [shared, shared], big: 12n, missing: undefined, call() {}, symbol: Symbol('s'), no: NaN, far: -Infinity,
      when: new Date(0), never: new Date(NaN), bytes: new Uint8Array(3), list: [undefined, () => {}, null], set: new Set([1]), url: new URL('http://x.y/'),
    }),
    {
      circle: { name: 'circle', self: '[circular]' }, broken: { field: '[unreadable: no]' }, proxy: '[unreadable: no keys]',
      twice: [shared, shared], big: '12', symbol: 'Symbol(s)', no: 'NaN', far: '-Infinity',
      when: '1970-01-01T00:00:00.000Z', never: null, bytes: '[3 bytes]', list: [null, null, null], set: [1], url: 'http://x.y/',
    },
  );
});

test('a member called __proto__ is a member', () => {
  const text = JSON.stringify(redactor.copy(JSON.parse('{"__proto__": {"polluted": true}}')));
  assert.equal(text, '{"__proto__":{"polluted":true}}');
  assert.equal({}.polluted, undefined);
});

test('an error keeps its name, message, stack and cause', () => {
  const error = Object.assign(new TypeError('outer', { cause: new Error('inner') }), { code: 'E1' });
  const { name, message, stack, cause, code } = copy({ error }).error;
  assert.deepEqual([name, message, cause.message, code], ['TypeError', 'outer', 'inner', 'E1']);
  assert.match(stack, /redaction\.test/);
});

test('long strings, long lists, deep and wide objects are cut, and say so', () => {
  const text = copy({ text: 'x'.repeat(LIMITS.stringLength + 10) }).text;
  assert.match(text, /x… \[10 characters cut\]$/);
  const list = copy({ list: Array(LIMITS.listLength + 5).fill(1) }).list;
  assert.equal(list.length, LIMITS.listLength + 1);
  assert.equal(list.at(-1), '[5 more cut]');
  let deep = 'bottom';
  for (let depth = 0; depth < 100; depth += 1) deep = { deep };
  assert.match(JSON.stringify(copy(deep)), /nested too deep/);
  const wide = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`member${index}`, index]));
  const line = JSON.stringify(redactor.copy({ wide, after: 'the end' }));
  assert.ok(line.length < 1.3 * LIMITS.lineLength, `${line.length}`);
  assert.match(line, /the line is too long/);
});

test('the budget of a line runs out in the middle of a string', () => {
  const text = 'y'.repeat(200_000);
  const copied = copy({ texts: Array(10).fill(text) });
  assert.ok(JSON.stringify(copied).length < 1.3 * LIMITS.lineLength);
  assert.match(JSON.stringify(copied), /characters cut/);
  assert.match(JSON.stringify(copied), /more cut/);
});

test('a character of two halves is not cut in between', () => {
  const text = '🌦'.repeat(LIMITS.stringLength);
  assert.ok(copy({ text }).text.isWellFormed());
});

for (const [name, text] of Object.entries({
  'base64': Buffer.alloc(150_000, 7).toString('base64'),
  'one long word': 'token'.repeat(40_000),
  'quotes': `"password": "${'\\"'.repeat(100_000)}`,
  'backslashes': `token${'\\'.repeat(200_000)}`,
  'spaces': `token${' '.repeat(200_000)}`,
  'open assignments': 'password="'.repeat(20_000),
  'addresses': 'a://'.repeat(50_000),
  'dashes': '-a'.repeat(100_000),
})) {
  test(`200 KB of ${name} take no time`, () => {
    const begin = performance.now();
    redactor.text(`key token :// ${text}`);
    assert.ok(performance.now() - begin < 1_000, `${performance.now() - begin} ms`);
  });
}

test('a line of a longer value is a secret alone unless it is a short word', () => {
  const strict = new Redactor(['BEGIN,\nlinesx\nMIIEvQIBADAN\nBgkqh1']);
  const said = strict.text('BEGIN, what linesx say: MIIEvQIBADAN and BgkqhBgkqh1');
  assert.equal(said, 'BEGIN, what linesx say: [REDACTED] and Bgkqh[REDACTED]');
});
