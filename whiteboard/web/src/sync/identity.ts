/** Who somebody is on this device: a secret key, a name and a colour, kept in the browser. */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

/** A random text of 64 possible letters; 22 of them are 132 bits. Works without a secure context. */
export function randomText(length: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => LETTERS[byte & 63]).join('');
}

/** Colours that are told apart and can be read on both themes. */
export const COLORS = ['#e03131', '#c2255c', '#9c36b5', '#6741d9', '#3b5bdb', '#1971c2', '#0c8599', '#099268', '#2f9e44', '#e8590c'];

export interface Keeper {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** The value under a key, made and kept if there is none. A browser that keeps nothing gets a new one each time. */
export function keep(keeper: Keeper | null, key: string, make: () => string): string {
  try {
    const known = keeper?.getItem(key);
    if (known) return known;
    const value = make();
    keeper?.setItem(key, value);
    return value;
  } catch {
    return make();
  }
}

/** What the address after `#` gives: `#teacher=…` or `#look=…`. */
export function access(hash: string): { access?: string; look?: string } {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  const [teacher, look] = [values.get('teacher'), values.get('look')];
  return { ...(teacher ? { access: teacher } : {}), ...(look ? { look } : {}) };
}
