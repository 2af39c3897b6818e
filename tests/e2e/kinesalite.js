// kinesalite.js - Kinesis in memory, on a port of 127.0.0.1 that the kernel picks and that is printed.
const kinesalite = require('kinesalite')

const server = kinesalite({createStreamMs: 10, deleteStreamMs: 10, updateStreamMs: 10, shardLimit: 100})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
