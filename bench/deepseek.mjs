// A simulated DeepSeek web chat in its own process, whose answers come at a steady pace. Prints its address.
import { startDeepSeek } from '../tests/simulators/deepseek.mjs';

const { accounts, every_ms, events } = JSON.parse(process.argv[2]);
const chat = await startDeepSeek({ frame_ms: every_ms });
for (let number = 0; number < accounts; number += 1) chat.addAccount(`bench-${number}@example.com`, { password: 'bench' });
chat.script = () => ({ text: Array(events).fill('word ') });
console.log(chat.url);
process.on('disconnect', () => process.exit());
