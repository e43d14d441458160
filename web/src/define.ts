// `import "@cosec/wasm/element"` makes <cosec-linter> known.
import { CosecLinter, define } from "./app/element";

define();
export { CosecLinter };
