import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { openLoader } from '../../device/esp/open-loader.ts';
import { flashSizeOf } from '../../device/esp/probe-flash.ts';
import { COMMAND, encodePacket, type Packet, RESPONSE } from '../../device/esp/protocol.ts';
import { encodeFrame, SlipDecoder } from '../../device/esp/slip.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import { startVirtualEsp } from '../../device/virtual/esp/start-virtual-esp.ts';
import { oraclePython, runOracle } from '../support/oracle.ts';
import { python, pythonHas, runProgram } from './oracles.ts';

const MIB = 1024 * 1024;
const open: { close(): unknown }[] = [];
const hasEsptool = await pythonHas('esptool');

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

/** What a loader that behaves a little otherwise says in the place of each answer: bytes on the wire. */
type Quirk = (answer: Packet) => Uint8Array;

const asFrame = (packet: Packet) => encodeFrame(encodePacket(packet));

function withWrongLength(packet: Packet): Uint8Array {
  const bytes = encodePacket(packet);
  bytes[2] = packet.body.length + 1;
  return encodeFrame(bytes);
}

const status = (answer: Packet, ...bytes: number[]): Packet => ({
  ...answer,
  body: Buffer.concat([answer.body.subarray(0, -4), Uint8Array.from(bytes)]),
});

const isInfo = ({ command }: Packet) => command === COMMAND.securityInfo;
const other: Packet = { direction: RESPONSE, command: COMMAND.flashEnd, value: 0, body: new Uint8Array(4) };

let syncs = 0;

/**
 * What esptool takes and what we take. We are stricter where a damaged answer would look the same, since answers have no
 * checksum, and more patient where something else is said in between.
 */
const QUIRKS: readonly (readonly [what: string, quirk: Quirk, esptool: boolean, ours: boolean])[] = [
  ['has nothing odd about it', asFrame, true, true],
  ['has two bytes of status behind every answer', (one) => asFrame(status(one, 0, 0)), true, true],
  [
    'has two bytes of status behind its security information',
    (one) => asFrame(isInfo(one) ? status(one, 0, 0) : one),
    true,
    true,
  ],
  ['has six bytes of status', (one) => asFrame(status(one, 0, 0, 0, 0, 0, 0)), true, false],
  ['says a wrong length', withWrongLength, true, false],
  ['gives a reason although all is well', (one) => asFrame(status(one, 0, 5, 0, 0)), true, false],
  [
    'answers something else first',
    (one) => Buffer.concat([asFrame(other), asFrame({ ...one, direction: 0 }), asFrame(one)]),
    true,
    true,
  ],
  ['talks in between', (one) => Buffer.concat([Buffer.from('I (31) boot\r\n'), asFrame(one)]), false, true],
  [
    'answers a sync once',
    (one) => (one.command !== COMMAND.sync || syncs++ % 8 === 0 ? asFrame(one) : new Uint8Array(0)),
    false,
    true,
  ],
];

/** A virtual board in its loader, and a socket through which its answers come changed. */
async function quirky(quirk: Quirk): Promise<string> {
  const board = await startVirtualEsp({ chip: 'esp32c3', flashBytes: 4 * MIB, boot: 'bootloader' });
  open.push(board);
  const server: Server = createServer((client) => {
    const decoder = new SlipDecoder(8192);
    const inner = connect(Number(board.ports[1]!.split(':').at(-1)), '127.0.0.1');
    for (const socket of [client, inner]) socket.on('error', () => {});
    client.on('data', (bytes) => inner.write(bytes));
    inner.on('data', (bytes) => {
      for (const frame of decoder.decode(bytes)) {
        const view = new DataView(frame.buffer, frame.byteOffset);
        // What the board says before anybody asks is not for us.
        if (frame.length < 8 || frame[0] !== RESPONSE) continue;
        const value = view.getUint32(4, true);
        client.write(quirk({ direction: frame[0], command: frame[1]!, value, body: frame.subarray(8) }));
      }
    });
    client.on('close', () => inner.destroy());
    inner.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ourTake(place: string): Promise<boolean> {
  const transport = await openTransport(`tcp://${place}`);
  const timeouts = { connectMs: 3_000, reconnectMs: 500, answerMs: 300 };
  try {
    const loader = await openLoader(transport, { reset: 'manual', stub: false, timeouts });
    return loader.chip === 'esp32c3' && loader.flash.bytes === 4 * MIB;
  } catch (error) {
    expect(error).toMatchObject({ exit: 2 });
    return false;
  } finally {
    await transport.close();
  }
}

async function esptoolsTake(place: string): Promise<boolean> {
  const way = ['--before', 'no-reset', '--after', 'no-reset', '--no-stub', '--connect-attempts', '1'];
  const args = ['-m', 'esptool', '--port', `socket://${place}`, ...way, 'flash-id'];
  const { code, text } = await runProgram(python!, args);
  return code === 0 && text.includes('Detected flash size: 4MB');
}

describe('a loader that', () => {
  test.each(QUIRKS)('%s: we take it or do not', { timeout: 60_000 }, async (_, quirk, __, ours) => {
    syncs = 0;
    expect(await ourTake(await quirky(quirk))).toBe(ours);
  });

  test.skipIf(!hasEsptool).each(QUIRKS)(
    '%s: esptool takes it or does not (skipped without it)',
    { timeout: 120_000 },
    async (_, quirk, esptool) => {
      syncs = 0;
      expect(await esptoolsTake(await quirky(quirk))).toBe(esptool);
    },
  );
});

const oracle = oraclePython();

test.skipIf(!oracle || !hasEsptool)(
  'flash says its size by the same codes as for esptool (skipped without it)',
  () => {
    const program = 'import json; from esptool.cmds import *; print(json.dumps(DETECTED_FLASH_SIZES))';
    const sizes = JSON.parse(runOracle(oracle!, program)) as Record<string, string>;
    const unit = { KB: 1024, MB: MIB };
    const bytes = (text: string | undefined) =>
      text && Number.parseInt(text, 10) * unit[text.slice(-2) as keyof typeof unit];
    for (let code = 0; code < 256; code++)
      expect([code, flashSizeOf(code)]).toEqual([code, bytes(sizes[code])]);
  },
);
