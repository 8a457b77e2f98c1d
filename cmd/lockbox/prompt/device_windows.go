package prompt

const device = "CONIN$"
