/** A PDF of one page with one picture. */

const INCH = 72;
/** The canvas counts 96 pixels to the inch. */
const POINTS = INCH / 96;

/** Puts a JPEG on a page of its size. `scale`: pixels of the picture for one of the board. */
export function pdf(jpeg: Uint8Array, width: number, height: number, scale: number): Blob {
  const [pageWidth, pageHeight] = [(width / scale) * POINTS, (height / scale) * POINTS].map((value) => value.toFixed(2));
  const encoder = new TextEncoder();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const offsets: number[] = [];
  let length = 0;
  const put = (part: string | Uint8Array) => {
    const bytes = typeof part === 'string' ? encoder.encode(part) : new Uint8Array(part);
    parts.push(bytes);
    length += bytes.length;
  };
  const object = (body: string, stream?: string | Uint8Array) => {
    offsets.push(length);
    put(`${offsets.length} 0 obj\n${body}\n`);
    if (stream !== undefined) {
      put('stream\n');
      put(stream);
      put('\nendstream\n');
    }
    put('endobj\n');
  };
  put('%PDF-1.4\n');
  object('<< /Type /Catalog /Pages 2 0 R >>');
  object('<< /Type /Pages /Kids [3 0 R] /Count 1 >>');
  object(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${pageWidth} ${pageHeight}] /Contents 4 0 R /Resources << /XObject << /Board 5 0 R >> >> >>`);
  const paint = `q ${pageWidth} 0 0 ${pageHeight} 0 0 cm /Board Do Q`;
  object(`<< /Length ${paint.length} >>`, paint);
  object(
    `<< /Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode /Length ${jpeg.length} >>`,
    jpeg,
  );
  const table = length;
  put(`xref\n0 ${offsets.length + 1}\n0000000000 65535 f \n`);
  for (const offset of offsets) put(`${String(offset).padStart(10, '0')} 00000 n \n`);
  put(`trailer\n<< /Size ${offsets.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`);
  return new Blob(parts, { type: 'application/pdf' });
}
