import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

// The panel's scripts are modules by where they are loaded, which Node can't see from their names.
const source = await readFile(new URL('../../panel/static/terminal/text.js', import.meta.url), 'utf8');
const { cleanText, markHits, plainText } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

for (const [name, text, expected] of [
  ['colours stay', '\x1b[1;31mred\x1b[0m x', '\x1b[1;31mred\x1b[0m x'],
  ['links go', 'a\x1b]8;;http://evil.example\x1b\\b', 'ab'],
  ['what is cut short goes', 'a\x1b]52;c;aGk=', 'a'],
  ['pictures go', 'a\x1bPq#0\x1b\\b', 'ab'],
  ['control characters go', 'a\x07\x08\x9b2Jb\x1b', 'a2Jb'],
  ['modes of the screen go', '\x1b[?1049ha\x1b[2J\x1bc', 'a'],
  ['what turns text around goes', 'a\u202ecod.exe\u2066', 'acod.exe'],
]) {
  test(`only colours reach the terminal: ${name}`, () => assert.equal(cleanText(text), expected));
}

test('plain text is what is read', () => assert.equal(plainText('a \x1b[31mb\x1b[0m\x07c'), 'a bc'));

test('hits are marked through colours, which go on behind them', () => {
  const text = 'a \x1b[31mne\x1b[1medle\x1b[0m b needle.';
  const marked = markHits(text, /needle/g);
  assert.equal(plainText(marked), plainText(text));
  const pieces = [...marked.matchAll(/48;2;255;213;79m([^\x1b]*)/g)].map(found => found[1]);
  assert.deepEqual(pieces, ['ne', 'edle', 'needle']);
  assert.ok(marked.endsWith('needle\x1b[0m\x1b[31m\x1b[1m\x1b[0m.'));
});

test('a text without hits stays as it is', () => assert.equal(markHits('a \x1b[31mb', /c/g), 'a \x1b[31mb'));
test('an expression that fits nothing anywhere marks nothing', () => assert.equal(markHits('ab', /x*/g), 'ab'));
