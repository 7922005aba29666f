/** Reads a PDF as a viewer does: from its end, by its table of objects. */
export interface Pages {
  readonly count: number;
  /** Of the first page, in points (1/72 inch). */
  readonly width: number;
  readonly height: number;
  /** The JPEG that the first page shows. */
  readonly picture: Buffer;
}

/** Fails with what is wrong with the file. */
export function readPdf(bytes: Buffer): Pages {
  const text = bytes.toString('latin1');
  if (!/^%PDF-1\.\d\n/.test(text)) throw new Error('no header');
  const start = Number(/startxref\s+(\d+)\s+%%EOF\s*$/.exec(text)?.[1] ?? NaN);
  const table = /^xref\n0 (\d+)\n((?:\d{10} \d{5} [nf] \n)+)trailer\n<<(.*?)>>/s.exec(text.slice(start));
  if (!table) throw new Error(`no table of objects at ${start}`);
  const offsets = table[2]!.split('\n').filter(Boolean).map((line) => Number(line.slice(0, 10)));
  if (offsets.length !== Number(table[1])) throw new Error('the table has another length than it says');

  /** What an object says of itself, and where its stream begins. */
  const object = (reference: string | undefined): { says: string; stream: number } => {
    const number = Number(/^(\d+) 0 R$/.exec(reference ?? '')?.[1] ?? NaN);
    const from = offsets[number] ?? NaN;
    const found = new RegExp(`^${number} 0 obj\\n(<<.*?>>)\\n(stream\\n|endobj)`, 's').exec(text.slice(from));
    if (!found) throw new Error(`object ${reference} is not at ${from}`);
    return { says: found[1]!, stream: from + found[0].length };
  };
  const value = (says: string, key: string): string => {
    const found = new RegExp(`/${key} (\\d+ 0 R|\\[.*?\\]|/?[\\w.]+)`).exec(says)?.[1];
    if (!found) throw new Error(`${key} is missing in ${says}`);
    return found;
  };

  const pages = object(value(object(value(table[3]!, 'Root')).says, 'Pages')).says;
  const page = object(value(pages, 'Kids').slice(1, -1)).says;
  const [, , width, height] = value(page, 'MediaBox').slice(1, -1).split(' ').map(Number);
  const picture = object(/\/XObject << \/\w+ (\d+ 0 R) >>/.exec(page)?.[1]);
  if (value(picture.says, 'Filter') !== '/DCTDecode') throw new Error('the picture is no JPEG');
  const end = picture.stream + Number(value(picture.says, 'Length'));
  if (text.slice(end, end + 10) !== '\nendstream') throw new Error('the picture has another length than it says');
  return { count: Number(value(pages, 'Count')), width: width!, height: height!, picture: bytes.subarray(picture.stream, end) };
}
