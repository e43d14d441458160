// What keys are called where this runs.

/** The key that goes with others in shortcuts. */
export const MOD = /^(Mac|iP)/.test(navigator.platform) ? "⌘" : "Ctrl";
