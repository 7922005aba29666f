/** The words of the pages. A language is one file; add it to `LANGUAGES`. */
import { de } from './de';
import { en, type Word } from './en';
import { it } from './it';

export type { Word };

/** `canvas`: what the canvas calls the language. */
export const LANGUAGES = {
  en: { name: 'English', words: en as Record<Word, string>, canvas: 'en' },
  de: { name: 'Deutsch', words: de, canvas: 'de-DE' },
  it: { name: 'Italiano', words: it, canvas: 'it-IT' },
};

export type Language = keyof typeof LANGUAGES;

/** The first language of the list that there is; a region is not looked at. English if there is none. */
export function choose(wanted: readonly (string | null | undefined)[]): Language {
  for (const tag of wanted) {
    const language = tag?.toLowerCase().split('-')[0] ?? '';
    if (Object.hasOwn(LANGUAGES, language)) return language as Language;
  }
  return 'en';
}

export interface Words {
  (word: Word, values?: Readonly<Record<string, string | number>>): string;
}

/** The words of a language. Numbers are written as the language does. */
export function words(language: Language): Words {
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  return (word, values = {}) => {
    const [one, many] = LANGUAGES[language].words[word].split('|');
    const text = many !== undefined && plural.select(Number(values.n)) !== 'one' ? many : one!;
    return text.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      return typeof value === 'number' ? number.format(value) : (value ?? '');
    });
  };
}
