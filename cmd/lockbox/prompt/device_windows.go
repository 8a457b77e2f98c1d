package prompt

// device is the console input of the process.
const device = "CONIN$"
