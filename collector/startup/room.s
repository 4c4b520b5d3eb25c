#include "funcdata.h"
#include "textflag.h"

// func Room()
TEXT ·Room(SB), 0, $16384-0
	NO_LOCAL_POINTERS
	RET
