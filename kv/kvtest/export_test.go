package kvtest

// Capabilities lists all capabilities.
var Capabilities = capabilities
