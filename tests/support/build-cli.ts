import { build } from '../../scripts/build.mjs';

/** Tests of the command line run the real program, so it is brought up to date first. */
export default function setup(): void {
  build();
}
