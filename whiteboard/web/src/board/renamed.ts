/** Elements of a file, made ready to be added to a board that may have them already. */
import type { ExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import { randomText } from '../sync/identity';

/** Copies with ids of their own, so that adding a drawing twice gives it twice; what belongs together stays so. */
export function renamed(elements: readonly ExcalidrawElement[]): ExcalidrawElement[] {
  const ids = new Map<string, string>();
  const fresh = (id: string) => {
    const known = ids.get(id) ?? randomText(20);
    ids.set(id, known);
    return known;
  };
  const inside = new Set(elements.map(({ id }) => id));
  const mapped = (id: unknown) => (typeof id === 'string' && inside.has(id) ? fresh(id) : null);
  return elements.map((element) => {
    const copy = { ...element, id: fresh(element.id), index: null, groupIds: element.groupIds.map(fresh) } as Record<string, unknown>;
    if ('containerId' in copy) copy.containerId = mapped(copy.containerId);
    copy.frameId = mapped(copy.frameId);
    if (Array.isArray(copy.boundElements)) {
      copy.boundElements = copy.boundElements.flatMap((bound: { id: string }) => (inside.has(bound.id) ? [{ ...bound, id: fresh(bound.id) }] : []));
    }
    for (const end of ['startBinding', 'endBinding']) {
      const binding = copy[end] as { elementId: string } | null | undefined;
      if (binding) copy[end] = inside.has(binding.elementId) ? { ...binding, elementId: fresh(binding.elementId) } : null;
    }
    return copy as unknown as ExcalidrawElement;
  });
}
