// The first thing to try: a trained network on an emulated board, measured and compared bit for bit.
import { run, setUp, tinyml } from './setup.mjs';

await setUp();
const example = 'examples/motor-fault';
run(process.execPath, [tinyml, 'deploy', `${example}/model.onnx`, '--calib', `${example}/data.npz`]);
