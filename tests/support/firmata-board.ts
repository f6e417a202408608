/** An Arduino with StandardFirmata 2.5, as far as it reads sensors; written from the protocol, apart from our client. */
export class FirmataBoard {
  /** Bytes written to I2C devices: address, then the data. */
  readonly i2cWrites: number[][] = [];
  /** Messages that are left out, by their number, as a bad line would. */
  readonly lost = new Set<number>();
  private readonly send: (bytes: Uint8Array) => void;
  private readonly reporting = new Set<number>();
  private reading: { address: number; register: number; count: number } | undefined;
  private intervalMs = 19;
  private timer: NodeJS.Timeout | undefined;
  private rounds = 0;
  private messages = 0;
  private pending: number[] = [];

  constructor(send: (bytes: Uint8Array) => void) {
    this.send = send;
  }

  /** What it reports for a channel in a round. */
  static valueOf(channel: number, round: number): number {
    return (channel * 100 + round) % 1024;
  }

  /** What its I2C device holds, big-endian: 1000 down, in steps of 7 a value and 1 a round. */
  static i2cValueOf(index: number, round: number): number {
    return 1000 - 7 * index - round;
  }

  boot(): void {
    this.reportVersion();
    const name = [...'StandardFirmata.ino'].flatMap((letter) => [letter.charCodeAt(0), 0]);
    this.say(0xf0, 0x79, 2, 5, ...name, 0xf7);
  }

  receive(bytes: Uint8Array): void {
    this.pending.push(...bytes);
    for (let length = this.complete(); length > 0; length = this.complete())
      this.obey(this.pending.splice(0, length));
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Bytes of the first message when it is all there, otherwise 0. */
  private complete(): number {
    const [first] = this.pending;
    if (first === undefined) return 0;
    if (first === 0xf0) return this.pending.indexOf(0xf7) + 1;
    const needs = first === 0xf9 || first === 0xff || first < 0x80 ? 1 : (first & 0xf0) === 0xc0 ? 2 : 3;
    return this.pending.length >= needs ? needs : 0;
  }

  private obey(message: readonly number[]): void {
    const [first = 0, second = 0] = message;
    if (first === 0xf9) this.reportVersion();
    else if ((first & 0xf0) === 0xc0) this.report(first & 0x0f, second === 1);
    else if (first === 0xf0) this.obeySysex(second, message.slice(2, -1));
  }

  private obeySysex(command: number, data: readonly number[]): void {
    const number = (at: number) => (data[at] ?? 0) | ((data[at + 1] ?? 0) << 7);
    if (command === 0x79) this.boot();
    // 14 digital pins, then six analog inputs, as on an Uno.
    if (command === 0x69) this.say(0xf0, 0x6a, ...new Array<number>(14).fill(127), 0, 1, 2, 3, 4, 5, 0xf7);
    if (command === 0x6b)
      this.say(
        0xf0,
        0x6c,
        ...new Array<number[]>(14).fill([0, 1, 127]).flat(),
        ...new Array<number[]>(6).fill([0, 1, 2, 10, 127]).flat(),
        0xf7,
      );
    if (command === 0x7a) this.intervalMs = number(0);
    if (command === 0x76) {
      const [address = 0, mode = 0] = data;
      const values = Array.from({ length: (data.length - 2) >> 1 }, (_, i) => number(2 + 2 * i));
      if ((mode & 0x18) === 0x00) this.i2cWrites.push([address, ...values]);
      if ((mode & 0x18) === 0x10) this.reading = { address, register: values[0]!, count: values[1]! };
      if ((mode & 0x18) === 0x18) this.reading = undefined;
      this.keepTime();
    }
  }

  private report(channel: number, on: boolean): void {
    if (on) this.reporting.add(channel);
    else this.reporting.delete(channel);
    this.keepTime();
  }

  private keepTime(): void {
    clearInterval(this.timer);
    if (this.reporting.size > 0 || this.reading)
      this.timer = setInterval(() => this.round(), this.intervalMs);
  }

  private round(): void {
    for (const channel of [...this.reporting].sort()) {
      const value = FirmataBoard.valueOf(channel, this.rounds);
      if (!this.lost.has(this.messages++)) this.say(0xe0 | channel, value & 0x7f, value >> 7);
    }
    if (this.reading) {
      const { address, register, count } = this.reading;
      const bytes = Array.from({ length: count }, (_, i) => {
        const value = FirmataBoard.i2cValueOf(i >> 1, this.rounds);
        return i % 2 === 0 ? (value >> 8) & 0xff : value & 0xff;
      });
      const pairs = [address, register, ...bytes].flatMap((byte) => [byte & 0x7f, byte >> 7]);
      this.say(0xf0, 0x77, ...pairs, 0xf7);
    }
    this.rounds++;
  }

  private reportVersion(): void {
    this.say(0xf9, 2, 5);
  }

  private say(...bytes: number[]): void {
    this.send(Uint8Array.from(bytes));
  }
}
