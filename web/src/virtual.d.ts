declare module "virtual:cosec-wasm" {
  /** The gzipped wasm module in Base64. */
  const packed: string;
  export default packed;
}
