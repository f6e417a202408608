import {
  ANSWER,
  BINARY,
  baudValue,
  COM_PORT,
  CONTROL,
  comPortCommand,
  DO,
  DONT,
  escapeData,
  NOTIFY_LINESTATE,
  NOTIFY_MODEMSTATE,
  negotiation,
  PARITY,
  PURGE_DATA,
  SET_BAUDRATE,
  SET_CONTROL,
  SET_DATASIZE,
  SET_LINESTATE_MASK,
  SET_MODEMSTATE_MASK,
  SET_PARITY,
  SET_STOPSIZE,
  SIGNATURE,
  SUPPRESS_GO_AHEAD,
  TelnetDecoder,
  WILL,
  WONT,
} from '../transport/telnet.ts';
import type { Parity, Signals } from '../transport/transport.ts';

/** Carrier, data set ready and clear to send, RFC 2217 section 3. */
const MODEM_STATE = 0xb0;
const AGREED = new Set([BINARY, SUPPRESS_GO_AHEAD, COM_PORT]);

export interface Rfc2217Port {
  /** The modem lines before this client changed any. */
  readonly signals: Signals;
  data(bytes: Uint8Array): void;
  setSignals(signals: Signals): void;
  setParity(parity: Parity | 'other'): void;
  setBaud(baud: number): void;
}

/** The server side of RFC 2217 for one client, on top of whatever carries the bytes. */
export class Rfc2217Session {
  private readonly port: Rfc2217Port;
  private readonly send: (bytes: Uint8Array) => void;
  private readonly decoder: TelnetDecoder;
  private signals: Signals;
  private readonly settings = new Map<number, Uint8Array>([
    [SET_BAUDRATE, baudValue(115_200)],
    [SET_DATASIZE, Uint8Array.of(8)],
    [SET_PARITY, Uint8Array.of(PARITY.none)],
    [SET_STOPSIZE, Uint8Array.of(1)],
  ]);
  /** What was said about each option, so that an agreement is not confirmed for ever. */
  private readonly said = new Set<string>();

  constructor(port: Rfc2217Port, send: (bytes: Uint8Array) => void) {
    this.port = port;
    this.send = send;
    this.signals = port.signals;
    this.decoder = new TelnetDecoder({
      data: (bytes) => port.data(bytes),
      negotiate: (verb, option) => this.negotiate(verb, option),
      subnegotiation: (bytes) => this.command(bytes),
    });
    for (const option of AGREED) {
      this.say(WILL, option);
      this.say(DO, option);
    }
  }

  receive(chunk: Uint8Array): void {
    this.decoder.decode(chunk);
  }

  write(bytes: Uint8Array): void {
    this.send(escapeData(bytes));
  }

  private say(verb: number, option: number): void {
    const key = `${verb} ${option}`;
    if (this.said.has(key)) return;
    this.said.add(key);
    this.send(negotiation(verb, option));
  }

  private negotiate(verb: number, option: number): void {
    const agreed = AGREED.has(option);
    if (verb === DO) this.say(agreed ? WILL : WONT, option);
    if (verb === WILL) this.say(agreed ? DO : DONT, option);
    if (verb === WILL && option === COM_PORT) this.notifyModemState();
  }

  private command(bytes: Uint8Array): void {
    const [option, command] = bytes;
    if (option !== COM_PORT || command === undefined) return;
    const value = bytes.subarray(2);
    if (this.settings.has(command)) this.setting(command, value);
    else if (command === SET_CONTROL) this.control(value[0] ?? 0);
    else if (command === NOTIFY_MODEMSTATE) this.notifyModemState();
    else if (command === NOTIFY_LINESTATE) this.answer(NOTIFY_LINESTATE, Uint8Array.of(0));
    else if (command === SET_LINESTATE_MASK || command === SET_MODEMSTATE_MASK) this.answer(command, value);
    else if (command === SIGNATURE && value.length === 0)
      this.answer(SIGNATURE, Buffer.from('tinyml virtual board'));
    // Nothing to throw away: no byte waits here.
    else if (command === PURGE_DATA) this.answer(PURGE_DATA, value);
  }

  /** Zero, or nothing, asks for the present value. */
  private setting(command: number, value: Uint8Array): void {
    const present = this.settings.get(command)!;
    if (value.length === present.length && value.some((byte) => byte !== 0)) {
      this.settings.set(command, value);
      if (command === SET_PARITY) this.port.setParity(parityOf(value[0]!));
      if (command === SET_BAUDRATE) this.port.setBaud(Buffer.from(value).readUInt32BE());
    }
    this.answer(command, this.settings.get(command)!);
  }

  private control(value: number): void {
    if (value === CONTROL.dtrOn || value === CONTROL.dtrOff) {
      this.change({ ...this.signals, dtr: value === CONTROL.dtrOn });
    }
    if (value === CONTROL.rtsOn || value === CONTROL.rtsOff) {
      this.change({ ...this.signals, rts: value === CONTROL.rtsOn });
    }
    this.answer(SET_CONTROL, Uint8Array.of(this.controlAnswer(value)));
  }

  private controlAnswer(value: number): number {
    if (value === CONTROL.dtrQuery) return this.signals.dtr ? CONTROL.dtrOn : CONTROL.dtrOff;
    if (value === CONTROL.rtsQuery) return this.signals.rts ? CONTROL.rtsOn : CONTROL.rtsOff;
    if (value === CONTROL.flowQuery) return CONTROL.noFlow;
    if (value === CONTROL.breakQuery) return CONTROL.breakOff;
    if (value === CONTROL.inboundFlowQuery) return CONTROL.noInboundFlow;
    return value;
  }

  private change(signals: Signals): void {
    this.signals = signals;
    this.port.setSignals(signals);
  }

  private notifyModemState(): void {
    this.answer(NOTIFY_MODEMSTATE, Uint8Array.of(MODEM_STATE));
  }

  private answer(command: number, value: Uint8Array): void {
    this.send(comPortCommand(command + ANSWER, value));
  }
}

function parityOf(value: number): Parity | 'other' {
  if (value === PARITY.none) return 'none';
  return value === PARITY.even ? 'even' : 'other';
}
