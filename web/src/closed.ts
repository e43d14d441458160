// Ways out of a page that its policy does not know of are taken away, before anything else of the page runs.

for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport"]) {
  Object.defineProperty(window, name, { value: undefined, writable: false, enumerable: false, configurable: false });
}
