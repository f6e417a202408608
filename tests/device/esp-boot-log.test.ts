import { describe, expect, it } from 'vitest';
import { bootProblems, explainBootLog } from '../../device/console/esp-boot-log.ts';
import { bootMessages } from '../../device/console/esp-boot-messages.ts';

/** Starts as the chips print them, and what they mean; logs of Espressif's issue tracker and documentation. */
const LOGS: readonly (readonly [chip: string, log: string, problems: readonly RegExp[]])[] = [
  [
    'ESP32',
    'ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nconfigsip: 0, SPIWP:0xee\r\nload:0x3fff0018,len:4\r\nentry 0x400806a8\r\n',
    [],
  ],
  [
    'ESP32 with an empty flash',
    'rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nflash read err, 1000\r\nets_main.c 371 \r\n',
    [/no program/],
  ],
  [
    'ESP32 of revision 3 with an empty flash',
    'ets Jul 29 2019 12:21:46\r\n\r\nrst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\ninvalid header: 0xffffffff\r\n',
    [/no program/],
  ],
  [
    'ESP32 with a wrong checksum',
    'rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x40080400,len:6552\r\ncsum err:0x9e!=0x38\r\nets_main.c 384 \r\n',
    [/damaged: its checksum/],
  ],
  [
    'ESP32 whose flash another supply holds low',
    'rst:0x10 (RTCWDT_RTC_RESET),boot:0x33 (SPI_FAST_FLASH_BOOT)\r\nflash read err, 0\r\nets_main.c 371 \r\n',
    [/cannot read the flash/],
  ],
  [
    'ESP32-S3 with a wrong checksum',
    'ESP-ROM:esp32s3-20210327\r\nrst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x40043ac8\r\nload:0x403ba000,len:0x31c8\r\nChecksum failure. Calculated 0x8e stored 0xde\r\nets_main.c 329 \r\n',
    [/damaged: its checksum/],
  ],
  [
    'ESP32-C3 with a wrong checksum',
    'ESP-ROM:esp32c3-api1-20210207\r\nrst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nload:0x08000000,len:0x0\r\nChecksum failure. Calculated 0x18 stored 0x00\r\nets_main.c 333 \r\n',
    [/damaged: its checksum/],
  ],
  [
    'ESP32-C3 with a wrong hash',
    `rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSHA-256 comparison failed:\r\nCalculated: ${'a3'.repeat(32)}\r\nExpected: ${'ff'.repeat(32)}\r\nAttempting to boot anyway...\r\nentry 0x403ce000\r\n`,
    [/not the one that was built.*starts it all the same/],
  ],
  [
    'ESP32-P4 with a wrong hash that a watchdog restarts',
    'rst:0x7 (TG0WDT_SYS_RST),boot:0x31f (SPI_FAST_FLASH_BOOT)\r\nSHA-256 comparison failed:\r\nAttempting to boot anyway...\r\n',
    [/not the one that was built/, /watchdog/],
  ],
  [
    'ESP32-C3 with something else in flash',
    'rst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0x8b2289f0\r\n',
    [/is none, or is encrypted/],
  ],
  [
    'ESP32-S2 with half an image',
    "rst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\nInvalid image block, can't boot.\r\nets_main.c 333 \r\n",
    [/no program for this chip/],
  ],
  [
    'ESP32-S3 that gives up without a reason',
    'rst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\nets_main.c 329 \r\n',
    [/cannot start what the flash holds/],
  ],
  [
    'ESP32-C6 that a watchdog restarts',
    'ESP-ROM:esp32c6-20220919\r\nrst:0x7 (TG0_WDT_HPSYS),boot:0xd (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n',
    [/watchdog/],
  ],
  [
    'ESP32-S3 in a brown-out',
    'rst:0xf (RTCWDT_BROWN_OUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n',
    [/supply voltage/],
  ],
  [
    'ESP32 that waits',
    'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n',
    [/waits for a download/],
  ],
  [
    'ESP32-S3 that waits and was cut off',
    'rst:0x15 (USB_UART_CHIP_RST),boot:0x0 (DOWNLOAD(USB/UART0))\r\n',
    [/waits for a download/],
  ],
  [
    'ESP-IDF whose application is damaged',
    'rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nE (231) esp_image: Checksum failed. Calculated 0x18 read 0x2a\r\nE (240) boot: No bootable app partitions in the partition table\r\n',
    [/damaged: its checksum/],
  ],
  [
    'ESP-IDF without a partition table',
    'rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nE (32) flash_parts: partition 0 invalid magic number 0xffff\r\nE (38) boot: Failed to verify partition table\r\n',
    [/no partition with a program/],
  ],
];

describe('the boot log of an', () => {
  it.each(LOGS)('%s says so', (_, log, problems) => {
    const found = explainBootLog(log)!.problems.map(({ what }) => what);
    expect(found).toHaveLength(problems.length);
    problems.forEach((problem, i) => {
      expect(found[i]).toMatch(problem);
    });
  });

  it('earlier start does not count', () => {
    expect(explainBootLog(LOGS.map(([, log]) => log).join('') + LOGS[0]![1])).toMatchObject({
      mode: 'flash',
      name: 'SPI_FAST_FLASH_BOOT',
      problems: [],
    });
  });
});

describe('every message', () => {
  it('that means that nothing starts goes before the watchdog that ends it, whatever the order in the log', () => {
    for (const [, log] of LOGS) {
      const lines = log.split('\r\n');
      const problems = bootProblems(lines.join('\n'));
      expect(bootProblems(lines.toReversed().join('\n'))).toEqual(problems);
    }
  });

  it('is the explanation of a log above, or is told by one line', () => {
    const seen = new Set(LOGS.flatMap(([, log]) => explainBootLog(log)!.problems.map(({ what }) => what)));
    const others: Readonly<Record<string, RegExp>> = {
      'E (120) esp_image: Image hash failed - image is corrupt': /SHA-256 is wrong/,
      'Secure boot check fail': /secure boot/,
      'invalid header: 0x00000000': /zeros/,
      "E (36) boot_comm: This chip is revision 2 but the application is configured for minimum revision 3. Can't run.":
        /later revision/,
      'E (300) spi_flash: Detected size(2048k) smaller than the size in the binary image header(4096k). Probe failed.':
        /smaller/,
      'E (200) quad_psram: PSRAM ID read error: 0x00ffffff, PSRAM chip not found': /PSRAM/,
    };
    for (const [line, pattern] of Object.entries(others)) {
      const [problem] = bootProblems(line);
      expect(problem?.what).toMatch(pattern);
      seen.add(problem!.what);
    }
    expect([...seen].sort()).toEqual(bootMessages.map(({ what }) => what).sort());
  });
});
