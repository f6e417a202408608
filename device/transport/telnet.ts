/** Telnet (RFC 854, RFC 855) as far as RFC 2217 needs it, for both sides of the wire. */

const SE = 0xf0;
const SB = 0xfa;
const IAC = 0xff;

/** Negotiation verbs, RFC 854. */
export const WILL = 0xfb;
export const WONT = 0xfc;
export const DO = 0xfd;
export const DONT = 0xfe;

/** Options: RFC 856, RFC 858, RFC 2217. */
export const BINARY = 0x00;
export const SUPPRESS_GO_AHEAD = 0x03;
export const COM_PORT = 0x2c;

/** RFC 2217 section 3: commands of the client; the server's answer is the same plus 100. */
export const SIGNATURE = 0;
export const SET_BAUDRATE = 1;
export const SET_DATASIZE = 2;
export const SET_PARITY = 3;
export const SET_STOPSIZE = 4;
export const SET_CONTROL = 5;
export const NOTIFY_LINESTATE = 6;
export const NOTIFY_MODEMSTATE = 7;
export const SET_LINESTATE_MASK = 10;
export const SET_MODEMSTATE_MASK = 11;
export const PURGE_DATA = 12;
export const ANSWER = 100;

/** Values of SET-CONTROL, RFC 2217 section 3. */
export const CONTROL = {
  flowQuery: 0,
  noFlow: 1,
  breakQuery: 4,
  breakOff: 6,
  dtrQuery: 7,
  dtrOn: 8,
  dtrOff: 9,
  rtsQuery: 10,
  rtsOn: 11,
  rtsOff: 12,
  inboundFlowQuery: 13,
  noInboundFlow: 14,
} as const;

export const PARITY = { none: 1, even: 3 } as const;

export interface TelnetEvents {
  data(bytes: Uint8Array): void;
  negotiate(verb: number, option: number): void;
  /** The bytes between SB and SE, unescaped, option first. */
  subnegotiation(bytes: Uint8Array): void;
}

// The longest thing we have a use for is a baud rate; a signature is text for people.
const SUBNEGOTIATION_LIMIT = 256;

type State = 'data' | 'iac' | 'verb' | 'sub' | 'sub-iac';

/** Takes a telnet stream apart, whatever way it was cut into chunks. */
export class TelnetDecoder {
  private state: State = 'data';
  private verb = 0;
  private sub: number[] = [];
  private readonly events: TelnetEvents;

  constructor(events: TelnetEvents) {
    this.events = events;
  }

  decode(chunk: Uint8Array): void {
    const plain = new Uint8Array(chunk.length);
    let count = 0;
    for (const byte of chunk) {
      if (this.state === 'data' && byte !== IAC) plain[count++] = byte;
      else if (this.state === 'iac' && byte === IAC) {
        this.state = 'data';
        plain[count++] = byte;
      } else this.step(byte);
    }
    if (count > 0) this.events.data(plain.subarray(0, count));
  }

  private step(byte: number): void {
    switch (this.state) {
      case 'data':
        this.state = 'iac';
        return;
      case 'iac':
        this.afterIac(byte);
        return;
      case 'verb':
        this.state = 'data';
        this.events.negotiate(this.verb, byte);
        return;
      case 'sub':
        if (byte === IAC) this.state = 'sub-iac';
        else this.collect(byte);
        return;
      case 'sub-iac':
        this.state = byte === SE ? 'data' : 'sub';
        if (byte === SE) this.events.subnegotiation(Uint8Array.from(this.sub));
        else if (byte === IAC) this.collect(byte);
    }
  }

  private afterIac(byte: number): void {
    this.state = 'data';
    if (byte === SB) {
      this.state = 'sub';
      this.sub = [];
    } else if (byte >= WILL) {
      this.state = 'verb';
      this.verb = byte;
    }
  }

  private collect(byte: number): void {
    if (this.sub.length < SUBNEGOTIATION_LIMIT) this.sub.push(byte);
  }
}

/** Data with every 0xFF doubled. */
export function escapeData(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(IAC)) return bytes;
  return Uint8Array.from(Array.from(bytes).flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte])));
}

export function negotiation(verb: number, option: number): Uint8Array {
  return Uint8Array.of(IAC, verb, option);
}

export function comPortCommand(command: number, value: Uint8Array): Uint8Array {
  return Uint8Array.of(IAC, SB, COM_PORT, command, ...escapeData(value), IAC, SE);
}

export function baudValue(baud: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, baud);
  return bytes;
}
