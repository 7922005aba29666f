/** Elements come from other people's programs: what the canvas could stumble over is not shown. */
import type { Element } from '../sync/element';

const TYPES = new Set([
  'rectangle', 'diamond', 'ellipse', 'line', 'arrow', 'freedraw', 'text', 'image', 'frame', 'magicframe', 'embeddable', 'iframe', 'selection',
]);
/** Farther out nobody draws, and drawing gets inexact. */
const FAR = 1e7;

function finite(value: unknown, limit = FAR): boolean {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= limit;
}

function pairs(value: unknown, least: number): boolean {
  return Array.isArray(value) && value.length >= least
    && value.every((point) => Array.isArray(point) && finite(point[0]) && finite(point[1]));
}

/** Whether the canvas can show an element. */
export function drawable(element: Element): boolean {
  if (!TYPES.has(element.type) || element.type === 'selection') return false;
  if (![element.x, element.y, element.width, element.height].every((value) => finite(value))) return false;
  if (!finite(element.angle, 1000) || !Array.isArray(element.groupIds)) return false;
  if (typeof element.strokeColor !== 'string' || typeof element.backgroundColor !== 'string') return false;
  if (!finite(element.strokeWidth, 1000) || !finite(element.opacity, 100) || !finite(element.seed, 2 ** 53)) return false;
  switch (element.type) {
    case 'freedraw': return pairs(element.points, 1) && Array.isArray(element.pressures);
    case 'line': case 'arrow': return pairs(element.points, 0);
    case 'text': return typeof element.text === 'string' && finite(element.fontSize, 10_000) && finite(element.fontFamily, 1000);
    default: return true;
  }
}
