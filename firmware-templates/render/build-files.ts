export interface BuildParts {
  readonly units: readonly string[];
  readonly includes: readonly string[];
  readonly flagsOf: (path: string) => readonly string[];
  readonly linkFlags: readonly string[];
  readonly banner: string;
  /** What the names of the compiler and its companions begin with. */
  readonly prefix: string;
  /** Programs and arguments that make firmware.bin and firmware.hex of firmware.elf. */
  readonly bin: readonly string[];
  readonly hex: readonly string[];
}

/** Groups of sources that share their flags, in order of first appearance. */
function groups(parts: BuildParts): { flags: string; paths: string[] }[] {
  const byFlags = new Map<string, string[]>();
  for (const path of parts.units) {
    const flags = parts.flagsOf(path).join(' ');
    byFlags.set(flags, [...(byFlags.get(flags) ?? []), path]);
  }
  return [...byFlags].map(([flags, paths]) => ({ flags, paths }));
}

/** Where a source's object file goes. */
export const objectOf = (path: string) => `build/${path.replaceAll('/', '-').replace(/\.c$/, '.o')}`;

/** A command of a Makefile, whose user may have the tools under another name. */
const crossed = (command: readonly string[], prefix: string) => command.join(' ').replace(prefix, '$(CROSS)');

/** The same build as a Makefile, for those who go on without tinyml: `make` gives firmware.elf, .bin and .hex. */
export function makefile(parts: BuildParts): string {
  const objects = parts.units.map(objectOf);
  const rules = parts.units.map(
    (path) =>
      `${objectOf(path)}: ${path} tml_config.h | build\n\t$(CROSS)gcc ${parts.flagsOf(path).join(' ')} ${parts.includes.join(' ')} -c $< -o $@`,
  );
  return `# ${parts.banner}
CROSS ?= ${parts.prefix}
OBJECTS = ${objects.join(' \\\n\t')}

all: firmware.bin firmware.hex

firmware.bin: firmware.elf
	${crossed(parts.bin, parts.prefix)}

firmware.hex: firmware.bin
	${crossed(parts.hex, parts.prefix)}

firmware.elf: $(OBJECTS) firmware.ld
	$(CROSS)gcc ${parts.linkFlags.join(' ')} $(OBJECTS) -lgcc -o $@

build:
	mkdir -p build

${rules.join('\n\n')}

clean:
	rm -rf build firmware.elf firmware.bin firmware.hex

.PHONY: all clean
`;
}

/** CMake links in its build folder. */
const fromSourceFolder = (flag: string) => (flag === 'firmware.ld' ? `\${CMAKE_SOURCE_DIR}/${flag}` : flag);

/** The same build for CMake; every group of sources with its own optimization is an object library. */
export function cmakeLists(parts: BuildParts): string {
  const folders = parts.includes.map((flag) => flag.slice(2)).join(' ');
  const libraries = groups(parts).map(
    ({ flags, paths }, index) => `add_library(tinyml_${index} OBJECT
  ${paths.join('\n  ')})
target_compile_options(tinyml_${index} PRIVATE ${flags})
target_include_directories(tinyml_${index} PRIVATE ${folders})`,
  );
  const objects = libraries.map((_, index) => `$<TARGET_OBJECTS:tinyml_${index}>`).join(' ');
  return `# ${parts.banner}
cmake_minimum_required(VERSION 3.16)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER ${parts.prefix}gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
project(firmware C)

${libraries.join('\n\n')}

add_executable(firmware.elf ${objects})
target_link_options(firmware.elf PRIVATE ${parts.linkFlags.map(fromSourceFolder).join(' ')})
target_link_libraries(firmware.elf PRIVATE gcc)
set_target_properties(firmware.elf PROPERTIES LINK_DEPENDS \${CMAKE_SOURCE_DIR}/firmware.ld)
add_custom_command(TARGET firmware.elf POST_BUILD
  COMMAND ${parts.bin.join(' ')}
  COMMAND ${parts.hex.join(' ')})
`;
}
