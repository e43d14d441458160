declare module "virtual:cosec-wasm" {
  /** The letters of the bytes 0 to 255. */
  export const letters: string;
  /** The wasm module, a letter a byte. */
  export const text: string;
}
