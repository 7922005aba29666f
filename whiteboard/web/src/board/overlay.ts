/**
 * Strokes of others while they grow, on a layer of their own: the scene below stays as it is. Drawing the whole scene anew for
 * each part of each stroke costs, on a board of thousands of elements, more than a frame has.
 */
import { getFreeDrawSvgPath } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { Element } from '../sync/element';

/** Milliseconds that a finished stroke stays on the layer: until the scene below shows it. */
const OVERLAP = 60;

export interface Strokes {
  /** Shows these and no others. */
  show(strokes: readonly Element[]): void;
}

interface Outline {
  readonly points: number;
  readonly path: Path2D;
}

export class Overlay implements Strokes {
  private readonly layer = document.createElement('canvas');
  private readonly outlines = new Map<string, Outline>();
  private strokes: readonly Element[] = [];
  private readonly leaving = new Map<string, Element>();
  private readonly observer: ResizeObserver;

  constructor(private readonly surface: HTMLElement, private readonly api: ExcalidrawImperativeAPI) {
    this.layer.className = 'strokes';
    this.layer.setAttribute('aria-hidden', 'true');
    surface.append(this.layer);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(surface);
  }

  stop(): void {
    this.observer.disconnect();
    this.layer.remove();
  }

  show(strokes: readonly Element[]): void {
    const ids = new Set(strokes.map(({ id }) => id));
    for (const stroke of this.strokes) {
      if (ids.has(stroke.id) || this.leaving.has(stroke.id)) continue;
      this.leaving.set(stroke.id, stroke);
      setTimeout(() => {
        this.leaving.delete(stroke.id);
        this.outlines.delete(stroke.id);
        this.draw();
      }, OVERLAP);
    }
    this.strokes = strokes;
    this.draw();
  }

  /** Draws what there is, where the view is now. */
  draw(): void {
    const all = [...this.leaving.values(), ...this.strokes];
    const context = this.layer.getContext('2d');
    if (!context || (all.length === 0 && this.layer.width === 0)) return;
    const ratio = window.devicePixelRatio;
    // An empty layer has no pixels to keep and to compose.
    const [width, height] = all.length === 0 ? [0, 0] : [this.surface.clientWidth, this.surface.clientHeight];
    if (this.layer.width !== Math.round(width * ratio) || this.layer.height !== Math.round(height * ratio)) {
      this.layer.width = Math.round(width * ratio);
      this.layer.height = Math.round(height * ratio);
    }
    const { scrollX, scrollY, zoom } = this.api.getAppState();
    const scale = ratio * zoom.value;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.layer.width, this.layer.height);
    for (const stroke of all) {
      context.setTransform(scale, 0, 0, scale, (Number(stroke.x) + scrollX) * scale, (Number(stroke.y) + scrollY) * scale);
      context.globalAlpha = Number(stroke.opacity) / 100;
      context.fillStyle = String(stroke.strokeColor);
      context.fill(this.outline(stroke));
    }
  }

  private outline(stroke: Element): Path2D {
    const points = stroke.points?.length ?? 0;
    const known = this.outlines.get(stroke.id);
    if (known?.points === points) return known.path;
    const path = new Path2D(getFreeDrawSvgPath(stroke as never));
    this.outlines.set(stroke.id, { points, path });
    return path;
  }
}
