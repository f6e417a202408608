const LONGEST = 64 * 1024;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** Cuts a stream into lines, without their ends; a line that never ends is cut at 64 KiB. */
export class Lines {
  private parts: Uint8Array[] = [];
  private size = 0;

  take(bytes: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      this.keep(bytes.subarray(start, end));
      lines.push(this.end());
      start = end + 1;
    }
    this.keep(bytes.subarray(start));
    if (this.size > LONGEST) lines.push(this.end());
    return lines;
  }

  /** What is left of an unfinished line. */
  rest(): Uint8Array[] {
    return this.size > 0 ? [this.end()] : [];
  }

  private keep(part: Uint8Array): void {
    if (part.length === 0) return;
    this.parts.push(part.slice());
    this.size += part.length;
  }

  private end(): Uint8Array {
    const line = Buffer.concat(this.parts);
    this.parts = [];
    this.size = 0;
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  }
}
