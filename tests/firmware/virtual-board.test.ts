import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, tinyPlan } from './build-firmware.ts';
import { boot, type Running } from './emulator.ts';

describe('the benchmark firmware on the emulated board', () => {
  let folder: string;
  let board: Running;

  beforeAll(async () => {
    folder = buildPlan(tinyPlan('virtual-stm32f405'));
    console.log(folder);
    board = await boot(folder);
  });
  afterAll(async () => {
    await board?.stop();
  });

  it('says ready after reset', async () => {
    const t = Date.now();
    const f = await board.client.next();
    console.log(f, Date.now() - t);
    const t2 = Date.now();
    console.log(await board.client.ask(1), Date.now() - t2);
    const t3 = Date.now();
    for (let i = 0; i < 100; i++) await board.client.ask(1);
    console.log('100 hellos', Date.now() - t3);
    const b = Buffer.alloc(8);
    console.log((await board.client.ask(3, b)).body.readBigUInt64LE(8));
    console.log((await board.client.ask(5, Buffer.alloc(4))).body);
    console.log((await board.client.ask(6, Buffer.from([0, 0, 4, 0]))).body);
    console.log((await board.client.ask(7, Buffer.from([0, 0, 4, 0]))).body);
    console.log((await board.client.ask(8)).body);
  });
});
