package startup

// Room makes the goroutine's stack large at once. A stack that grows by and by looks up all its frames each time, in tables that are not in
// memory yet at a start.
func Room()

func init() { Room() } // for the initialisation of packages, and main
