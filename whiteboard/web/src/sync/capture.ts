/**
 * Finds what a person changed on the canvas. The canvas changes its elements in place and says only that something changed, so
 * versions are compared with those that were put there. Nothing is serialised for that.
 */
import { same, type Element, type Mark } from './element';

export interface Changes {
  /** Changed, and the hand is off them: they can be sent as they are. */
  readonly settled: Element[];
  /** Changing right now: drawn, moved, sized or typed. */
  readonly busy: Element[];
}

export class Capture {
  private shown = new Map<string, Mark>();

  /** Notes the list as what is on the canvas: nothing in it is a person's change. `but`: elements whose changes are not noted. */
  note(list: readonly Element[], but: ReadonlySet<string> = new Set()): void {
    const shown = new Map<string, Mark>();
    for (const element of list) {
      const before = but.has(element.id) ? this.shown.get(element.id) : element;
      if (before) shown.set(element.id, { version: before.version, versionNonce: before.versionNonce });
    }
    this.shown = shown;
  }

  /** What differs from what was noted. Settled changes are noted by this; busy ones come again until they are settled. */
  scan(list: readonly Element[], isBusy: (id: string) => boolean): Changes {
    const changes: Changes = { settled: [], busy: [] };
    for (const element of list) {
      const before = this.shown.get(element.id);
      if (before && same(before, element)) continue;
      if (isBusy(element.id)) changes.busy.push(element);
      else {
        this.shown.set(element.id, { version: element.version, versionNonce: element.versionNonce });
        // What was made and deleted before anybody heard of it never was.
        if (before || !element.isDeleted) changes.settled.push(element);
      }
    }
    return changes;
  }

  /** Whether the canvas still holds everything that was put there; importing into it may throw elements out. */
  lost(list: readonly Element[]): boolean {
    if (list.length >= this.shown.size) {
      const ids = new Set(list.map(({ id }) => id));
      for (const id of this.shown.keys()) if (!ids.has(id)) return true;
      return false;
    }
    return true;
  }
}
