import { describe, expect, it } from 'vitest';
import { en, type Word } from './en';
import { LANGUAGES, choose, words, type Language } from './words';

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);

describe('words', () => {
  it.each(Object.keys(LANGUAGES) as Language[])('%s says everything, with the same values', (language) => {
    const { words: list } = LANGUAGES[language];
    expect(Object.keys(list).sort()).toEqual(Object.keys(en).sort());
    for (const word of Object.keys(en) as Word[]) {
      expect(list[word].trim(), word).not.toBe('');
      expect(list[word].split('|').length, word).toBe(en[word].split('|').length);
      expect(new Set(names(list[word])), word).toEqual(new Set(names(en[word])));
    }
  });

  it.each([
    [['de-AT', 'en'], 'de'], [['fr', 'it-CH'], 'it'], [['xx'], 'en'], [[], 'en'], [[null, undefined, 'IT'], 'it'], [['toString'], 'en'],
  ])('of %j it takes %s', (wanted, expected) => expect(choose(wanted)).toBe(expected));

  it('counts as the language does', () => {
    expect(words('en')('status.waiting', { n: 1 })).toBe('Offline, 1 change waits');
    expect(words('en')('status.waiting', { n: 2 })).toBe('Offline, 2 changes wait');
    expect(words('de')('status.waiting', { n: 12345 })).toBe('Offline, 12.345 Änderungen warten');
    expect(words('it')('start.forget', { title: 'A{n}B' })).toBe('Dimentica A{n}B');
  });
});
