import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armGcc, runProgram } from './oracles.ts';

/** Says "ready" on USART1 of an STM32F405 (RM0090 section 30.6) and answers every byte with the one after it. */
const SOURCE = `
#define REG(address) (*(volatile unsigned *)(address))
#define SR REG(0x40011000)
#define DR REG(0x40011004)
#define CR1 REG(0x4001100c)
static void put(unsigned byte) { while (!(SR & 0x80)) {} DR = byte; }
static void start(void)
{
	CR1 = 0x200c;
	for (const char *text = "ready\\n"; *text; text++) put((unsigned char)*text);
	for (;;) if (SR & 0x20) put(DR + 1);
}
__attribute__((section(".vectors"))) const void *const vectors[] = { (void *)0x20020000, (void *)start };
`;
const LAYOUT =
  'SECTIONS { . = 0x08000000; .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } /DISCARD/ : { *(.ARM*) } }';

async function build(program: string, args: readonly string[]): Promise<void> {
  const { code, text } = await runProgram(program, args);
  if (code !== 0) throw new Error(text);
}

/** The firmware as flash content. */
export async function buildUartFirmware(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-uart-'));
  try {
    const at = (name: string) => join(folder, name);
    writeFileSync(at('main.c'), SOURCE);
    writeFileSync(at('layout.ld'), LAYOUT);
    const options = [
      '-mcpu=cortex-m4',
      '-mthumb',
      '-O1',
      '-ffreestanding',
      '-nostdlib',
      '-Wl,--entry=0x08000000',
    ];
    await build(armGcc!, [...options, '-T', at('layout.ld'), at('main.c'), '-o', at('main.elf')]);
    await build(armGcc!.replace(/gcc$/, 'objcopy'), ['-O', 'binary', at('main.elf'), at('main.bin')]);
    return readFileSync(at('main.bin'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
